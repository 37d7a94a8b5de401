import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { FaultKind } from '../../src/sandbox/faults.ts'
import { createSandbox, type Sandbox } from '../../src/sandbox/server.ts'
import { CAMPAIGN_MANAGER_TOKEN, startTestService, type TestService } from '../support/service.ts'
import { AccountWatch, judgeWrites } from './account-watch.ts'
import { type Directory, DirectoryClient, type Person } from './directory-client.ts'
import { createEntraClient, type EntraClient } from './entra-client.ts'
import { chaosSeed, pickOf, printFigures, type Random, randomOf, seconds, Tally } from './figures.ts'
import { DirectoryHistory } from './history.ts'
import { type OwnPostgres, startOwnPostgres } from './own-postgres.ts'
import { type Processes, startProcesses } from './processes.ts'
import { readFinalDirectory, wrongAccounts, wrongMemberships } from './settled-directory.ts'
import { soakFaults } from './soak-faults.ts'
import { waitUntil } from './waiting.ts'

export interface SoakSize {
  readonly users: number
  readonly groups: number
  readonly operations: number
  readonly clients: number
  /** Of the calls to Campaign Manager. */
  readonly faultShare: number
  readonly without?: readonly FaultKind[]
  readonly crashes: number
  readonly kills: number
  readonly timeoutMs: number
  /** Requests a second, of all clients; 0 = as many as they can. */
  readonly pace: number
  /** How long the faults go on after the last operation. */
  readonly lingerMs: number
  /** Leases and back-offs are waited for; else the processes end, and another one takes up what they left, at once. */
  readonly patient: boolean
  /** Between the processes and Postgres. */
  readonly gateway?: (databaseUrl: string) => Promise<string>
}

const PLACEHOLDER = 'Placeholder'
const BY_HAND = ['Analyst', 'Agents', 'Auditor']

interface Soak {
  readonly t: Test
  readonly size: SoakSize
  readonly random: Random
  readonly postgres: OwnPostgres
  readonly sandbox: Sandbox
  readonly campaignManagerUrl: string
  readonly watch: AccountWatch
  readonly directory: Directory
  readonly people: readonly Person[]
  readonly processes: Processes
  readonly statuses: Tally
  readonly entra: EntraClient
  /** One for each part of the people. */
  readonly clients: readonly DirectoryClient[]
  /** The test has ended, perhaps by an error. */
  readonly isOver: () => boolean
}

/**
 * Clients change users and groups while Campaign Manager fails in every way, Postgres crashes and processes are killed. Then
 * everything has to be right, and no write was ever wrong.
 */
export async function soak(t: Test, size: SoakSize): Promise<void> {
  const run = await startSoak(t, size)
  const { sandbox, postgres, watch, directory, people, statuses, processes } = run
  const began = performance.now()
  await operate(run)
  t.comment('every operation is answered')
  await pause(size.lingerMs)
  sandbox.state.faults.clear()
  const faults = faultsOf(sandbox)
  const pending = await countDirty(postgres)
  const calm = performance.now()
  await converge(run)
  const converged = performance.now()
  t.comment('the processes have ended')

  const service = await startTestService(t, {
    env: {
      DATABASE_URL: postgres.url,
      CAMPAIGN_MANAGER_URL: run.campaignManagerUrl,
      DELETION_GUARD_COUNT: '0',
      RESYNC_INTERVAL_SECONDS: '86400',
    },
  })
  await settle(run, service.settle)
  t.comment('everybody is reconciled')
  const settled = await readFinalDirectory(service.scim, postgres)
  const compare = () => wrongAccounts(sandbox.state, settled, people, watch, PLACEHOLDER)
  const wrongBeforeResync = compare()
  await compareInventory(postgres, service)
  await settle(run, service.settle)
  const wrongAfterWalk = compare()
  t.comment('the inventory is compared')
  await service.resync()
  await settle(run, service.settle)

  const verdicts = judgeWrites(watch, directory.history, people, PLACEHOLDER)
  printFigures(t, {
    operations: `${directory.operations.total} (${directory.operations})`,
    answers: statuses,
    'calls to Campaign Manager': sandbox.state.requests.length,
    faults,
    'crashes of Postgres': size.crashes,
    'kills of a process': size.kills,
    'attempts at accounts': `${processes.attempts.total} (${processes.attempts})`,
    'writes that took effect': watch.writes.length,
    'roles given': verdicts.grants,
    'roles taken': verdicts.removals,
    'time of operations': seconds(calm - began),
    'users pending when the faults stopped': pending,
    'time to converge after the faults stopped': seconds(converged - calm),
    'accounts not right before a resync, after one': `${wrongBeforeResync.length}, ${wrongAfterWalk.length}`,
  })
  for (const wrong of wrongBeforeResync.slice(0, 5)) t.comment(`before a resync: ${wrong}`)
  for (const wrong of wrongAfterWalk.slice(0, 4)) {
    t.comment(`${wrong}\n${watch.tell(emailIn(wrong))}`)
    t.comment(JSON.stringify(await recordsOf(postgres, people, emailIn(wrong))))
  }
  t.same(wrongAfterWalk, [], 'every account is as the directory says after a resync')
  t.same(compare(), [], 'and after another look at each')
  t.same(wrongMemberships(settled, directory, people), [], 'nothing that was acknowledged is lost')
  t.same(verdicts.violations.slice(0, 20), [], 'no write gave or took what was not to be given or taken')
  t.same(sandbox.state.overlappingWrites(), [], 'no two writes to one account at a time')
  t.same(directory.odd.slice(0, 20), [], 'every answer is one that a client can expect')
}

async function startSoak(t: Test, size: SoakSize): Promise<Soak> {
  const random = randomOf(chaosSeed(t))
  const roles = Array.from({ length: Math.ceil(size.groups * 1.5) }, (_, index) => `Role ${index}`)
  const postgres = await startOwnPostgres(t)
  const sandbox = createSandbox({
    now: systemClock.now,
    token: CAMPAIGN_MANAGER_TOKEN,
    roles: [PLACEHOLDER, ...BY_HAND, ...roles],
    keepRequests: 5_000_000,
  })
  const campaignManagerUrl = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  const watch = new AccountWatch(sandbox.state)
  const people = createPeople(size, random, watch)
  const processes = await startProcesses(t, 2, {
    databaseUrl: (await size.gateway?.(postgres.url)) ?? postgres.url,
    campaignManagerUrl,
    env: { CAMPAIGN_MANAGER_TIMEOUT_MS: String(size.timeoutMs), DELETION_GUARD_COUNT: '0' },
  })
  const directory: Directory = {
    history: new DirectoryHistory(),
    roles,
    groupCount: size.groups,
    groups: new Set(),
    operations: new Tally(),
    odd: [],
  }
  const statuses = new Tally()
  let isOver = false
  t.teardown(() => {
    isOver = true
  })
  const entraClient = () =>
    createEntraClient({
      scims: () => processes.scims,
      random: randomOf(random(2 ** 31)),
      statuses,
      odd: directory.odd,
      retryMs: 200,
      isOver: () => isOver,
    })
  const clients = Array.from({ length: size.clients }, (_, index) => {
    const own = people.filter((_person, place) => place % size.clients === index)
    return new DirectoryClient(directory, own, entraClient(), randomOf(random(2 ** 31)))
  })
  return {
    ...{ t, size, random, postgres, sandbox, campaignManagerUrl, watch, people, processes },
    ...{ directory, statuses, clients, entra: entraClient(), isOver: () => isOver },
  }
}

/** Every tenth has roles by hand: some have an account already, the others will get such a role later. */
function createPeople({ users }: SoakSize, random: Random, watch: AccountWatch): Person[] {
  return Array.from({ length: users }, (_, index) => {
    const name = `soak-${index}`
    const email = `${name}@example.com`
    const isForeign = index % 10 === 0
    if (isForeign && index % 20 === 0) watch.giveByHand(email, pickOf(random, BY_HAND))
    return { name, email, isForeign, userId: undefined, active: true, userIds: [], reactivated: false }
  })
}

async function operate(run: Soak): Promise<void> {
  const { size, random, sandbox, clients, directory } = run
  sandbox.state.faults.set(...soakFaults(random, size.faultShare, size.without))
  await Promise.all(clients.map((client) => client.createPeople()))
  for (let n = 0; n < size.groups; n += 1) await clients[n % clients.length]?.createGroup()

  const first = directory.operations.total
  const done = () => directory.operations.total - first
  const troubles = trouble(run, done)
  const began = performance.now()
  await Promise.all(
    clients.map(async (client) => {
      while (done() < size.operations) {
        const ahead = size.pace === 0 ? 0 : (done() / size.pace) * 1000 - (performance.now() - began)
        if (ahead > 0) await pause(ahead)
        await client.act()
      }
    }),
  )
  await troubles
}

/** Crashes, kills and work by hand, spread evenly over the operations. */
async function trouble(
  { size, random, postgres, processes, watch, people, isOver }: Soak,
  done: () => number,
): Promise<void> {
  const hands = people.filter(({ isForeign }, index) => isForeign && index % 20 !== 0)
  const events: (() => Promise<void>)[] = [
    ...Array.from({ length: size.kills }, (_, index) => () => processes.kill(index % 2)),
    ...Array.from({ length: size.crashes }, () => () => postgres.crash(500 + random(1500))),
    ...hands.map(
      ({ email }) =>
        async () =>
          watch.giveByHand(email, pickOf(random, BY_HAND)),
    ),
  ]
  const shuffled = events
    .map((event) => ({ event, order: random(2 ** 31) }))
    .sort((a, b) => a.order - b.order)
  for (const [index, { event }] of shuffled.entries()) {
    const due = Math.floor(((index + 1) / (shuffled.length + 1)) * size.operations)
    while (done() < due && !isOver()) await pause(20)
    if (isOver()) return
    await event()
  }
}

const countDirty = async ({ query }: OwnPostgres): Promise<number> =>
  Number((await query('select count(*) from dirty_user'))[0]?.count)

const HOUR = 3_600_000

async function converge({ size, postgres, processes, sandbox }: Soak): Promise<void> {
  const isClean = async () => (await countDirty(postgres)) === 0
  if (size.patient) {
    await waitUntil('no user is dirty', HOUR, isClean, () =>
      postgres.query(
        'select failure, failure_detail, count(*) from dirty_user group by failure, failure_detail limit 20',
      ),
    )
  }
  await processes.countAttempts()
  await processes.stop()
  // What a killed process had asked for is through, and nobody holds a lease any more.
  const isUnderWay = () => sandbox.state.requests.some(({ ended }) => ended === undefined)
  await waitUntil('every call has ended', 30_000, () => !isUnderWay())
}

/** A whole resync, as it is done once an interval. */
async function compareInventory({ query }: OwnPostgres, { running }: TestService): Promise<void> {
  const { resync } = running.service
  await resync.runOnce()
  await query('update inventory_walk set due_at = now()')
  await resync.runOnce()
}

/** Reconciles until nobody is dirty, without waiting for leases that nobody holds and back-offs. */
async function settle({ postgres }: Soak, reconcile: () => Promise<void>): Promise<void> {
  const left = () => postgres.query('select * from dirty_user limit 5')
  for (let round = 0; round < 20; round += 1) {
    await postgres.query(
      `update account set write_pending_since = write_pending_since - interval '10 minutes',
         missing_since = missing_since - interval '10 minutes'`,
    )
    await postgres.query(
      `update dirty_user set not_before = now(), leased_until = case when lease is not null then now() - interval '1 second' end`,
    )
    await reconcile()
    if ((await left()).length === 0) return
  }
  throw new Error(`does not settle: ${JSON.stringify(await left())}`)
}

/** What the service knows of everybody who ever had the address. */
function recordsOf({ query }: OwnPostgres, people: readonly Person[], email: string) {
  const ids = people.find((person) => person.email === email)?.userIds ?? []
  return query(
    `select to_jsonb(account) as account, to_jsonb(dirty_user) as dirty from account
     left join dirty_user using (tenant_id, user_id) where user_id = any($1::uuid[])`,
    [ids],
  )
}

const emailIn = (line: string): string => /\S+@\S+/.exec(line)?.[0] ?? ''

/** How often each befell a call. */
function faultsOf({ state }: Sandbox): string {
  const faults = new Tally()
  for (const { faulted } of state.requests) if (faulted !== undefined) faults.add(faulted)
  const share = (faults.total / Math.max(1, state.requests.length)) * 100
  return `${faults.total}, ${share.toFixed(1)} % (${faults})`
}
