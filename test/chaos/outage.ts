import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { openDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import {
  addMembers,
  groupBody,
  removeMembers,
  type ScimRequest,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { startCampaignManagerFront } from './campaign-manager-front.ts'
import { filterPath } from './entra-client.ts'
import {
  chaosSeed,
  median,
  pickOf,
  printFigures,
  quantile,
  type Random,
  randomOf,
  seconds,
  Tally,
} from './figures.ts'
import { startProcesses } from './processes.ts'
import { waitUntil } from './waiting.ts'

export interface OutageSize {
  /** SCIM requests a second, begun whether or not those before are answered. */
  readonly rate: number
  readonly windowMs: number
  /** Before the outage, and as many in it. */
  readonly windows: number
  readonly warmUpMs: number
}

export interface OutageFigures {
  /** The median of the windows' p99, in the outage and before it. */
  readonly ratio: number
  /** From the end of the outage to the last delivery. */
  readonly deliveredMs: number
}

interface Load {
  readonly scims: readonly ScimRequest[]
  readonly random: Random
  readonly groups: readonly string[]
  readonly users: { readonly id: string; readonly email: string; groups: Set<string>; everJoined: boolean }[]
  readonly statuses: Tally
  created: number
}

const ROLES = ['Campaign Editor', 'Campaign Viewer', 'Campaign Approver']

/** Campaign Manager is away under a steady load of SCIM requests, which should not notice. */
export async function outage(t: Test, size: OutageSize): Promise<OutageFigures> {
  const seed = chaosSeed(t)
  const { url, pool } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const front = await startCampaignManagerFront(t, sandbox.url)
  const { scims } = await startProcesses(t, 2, {
    databaseUrl: url,
    campaignManagerUrl: front.url,
    env: { DELETION_GUARD_COUNT: '0' },
  })
  const load: Load = {
    ...{ scims, random: randomOf(seed), users: [], statuses: new Tally(), created: 0 },
    groups: await Promise.all(
      ROLES.map(
        async (role) => (await pickOf(randomOf(1), scims)('POST', '/Groups', groupBody(role))).body.id,
      ),
    ),
  }
  for (let n = 0; n < 40; n += 1) await createUser(load)
  await runWindow(load, size.rate, size.warmUpMs)

  const before = await runWindows(load, size)
  await front.set('unreachable')
  const during = await runWindows(load, size)
  await front.set('reachable')
  const back = performance.now()
  const isClean = async () => (await pool.query('select from dirty_user limit 1')).rowCount === 0
  const { rows } = await pool.query('select count(*) from dirty_user')
  await waitUntil('everything is delivered', 300_000, isClean)
  const deliveredMs = performance.now() - back

  const p99 = (windows: readonly number[][]) => windows.map((latencies) => quantile(latencies, 0.99))
  const ratio = median(p99(during)) / median(p99(before))
  const list = (numbers: readonly number[]) => numbers.map((each) => each.toFixed(1)).join(', ')
  printFigures(t, {
    answers: load.statuses,
    'p99 before, by window, in ms': list(p99(before)),
    'p99 during, by window, in ms': list(p99(during)),
    'median before, by window, in ms': list(before.map(median)),
    'median during, by window, in ms': list(during.map(median)),
    'ratio of the medians of p99': ratio.toFixed(2),
    'users pending at the end of the outage': rows[0]?.count,
    'all delivered after': seconds(deliveredMs),
  })
  const failures = load.statuses.total - load.statuses.of(200) - load.statuses.of(201) - load.statuses.of(204)
  t.equal(failures, 0, 'no SCIM request fails')
  const held = sandbox.state.users().map(({ email, roles }) => `${email} ${[...roles].sort()}`)
  t.same(held.sort(), expectedAccounts(load), 'nothing is lost')
  t.same(sandbox.state.overlappingWrites(), [])
  return { ratio, deliveredMs }
}

function expectedAccounts({ users, groups }: Load): string[] {
  return users
    .flatMap(({ email, groups: joined, everJoined }) => {
      const roles = ROLES.filter((_role, index) => joined.has(groups[index] ?? ''))
      if (roles.length > 0) return [`${email} ${roles.sort()}`]
      return everJoined ? [] : [`${email} Placeholder`]
    })
    .sort()
}

/** The latencies of each window's requests, in milliseconds. */
async function runWindows(load: Load, { rate, windows, windowMs }: OutageSize): Promise<number[][]> {
  const latencies: number[][] = []
  for (let n = 0; n < windows; n += 1) latencies.push(await runWindow(load, rate, windowMs))
  return latencies
}

async function runWindow(load: Load, rate: number, durationMs: number): Promise<number[]> {
  const latencies: number[] = []
  const pending: Promise<void>[] = []
  const count = Math.ceil((rate * durationMs) / 1000)
  const began = performance.now()
  for (let n = 0; n < count; n += 1) {
    const due = began + (n / rate) * 1000
    await pause(Math.max(0, due - performance.now()))
    const from = performance.now()
    pending.push(act(load).then((requests) => void latencies.push((performance.now() - from) / requests)))
  }
  await Promise.all(pending)
  return latencies
}

/** One request as Entra sends it; a new user takes two. Returns how many there were. */
async function act(load: Load): Promise<number> {
  const { random, users, groups } = load
  const chance = random(10)
  if (chance === 0) return createUser(load)
  const user = users.splice(random(users.length), 1)[0]
  if (user === undefined) return createUser(load)
  // Nobody else acts for this user meanwhile.
  if (chance < 4) await send(load, 'GET', filterPath('/Users', `userName eq "${user.email}"`))
  else if (chance < 6)
    await send(load, 'PATCH', `/Users/${user.id}`, setActive(random(2) === 0 && user.groups.size > 0))
  else {
    const group = pickOf(random, groups)
    const joins = !user.groups.has(group)
    await send(load, 'PATCH', `/Groups/${group}`, joins ? addMembers(user.id) : removeMembers(user.id))
    if (joins) user.groups.add(group)
    else user.groups.delete(group)
    user.everJoined = true
  }
  users.push(user)
  return 1
}

async function createUser(load: Load): Promise<number> {
  load.created += 1
  const name = `outage-${load.created}`
  const email = `${name}@example.com`
  await send(load, 'GET', filterPath('/Users', `userName eq "${email}"`))
  const { body } = await send(load, 'POST', '/Users', userBody(name))
  load.users.push({ id: body.id, email, groups: new Set(), everJoined: false })
  return 2
}

async function send({ scims, random, statuses }: Load, ...request: Parameters<ScimRequest>) {
  const answer = await pickOf(random, scims)(...request)
  statuses.add(answer.status)
  return answer
}
