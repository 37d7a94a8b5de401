import * as fc from 'fast-check'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import type { RequestRecord } from '../../src/sandbox/request-log.ts'
import type { SandboxState } from '../../src/sandbox/state.ts'
import { waitUntil } from '../chaos/waiting.ts'
import { startTestService, type TestService } from '../support/service.ts'
import {
  BY_HAND_CHANGES,
  type Change,
  createScriptedGroups,
  HANDOVERS,
  MEMBERSHIPS,
  OTHERS,
  ROLES,
  ScriptedPerson,
} from './scripted-person.ts'

/** What befalls one call to Campaign Manager, and what happens in the directory meanwhile. */
interface Turn {
  readonly read: FaultRule | undefined
  readonly write: FaultRule | 'late' | undefined
  readonly change: Step | undefined
}

interface Step {
  readonly who: number
  readonly what: Change
}

interface Script {
  readonly before: readonly Step[]
  readonly turns: readonly Turn[]
}

const TIMEOUT_MS = 300
const stale: FaultRule = { kind: 'stale', durationMs: 600_000 }
const READS: readonly Turn['read'][] = [
  undefined,
  stale,
  stale,
  { kind: 'not_found' },
  { kind: 'error', status: 500 },
]
const WRITES: readonly Turn['write'][] = [
  undefined,
  { kind: 'repeated' },
  { kind: 'repeated' },
  { kind: 'partial', status: 500 },
  { kind: 'partial', status: 200 },
  { kind: 'cut_off' },
  { kind: 'truncated' },
  { kind: 'reset' },
  { kind: 'error', status: 403 },
  { kind: 'error', status: 500 },
  { kind: 'html' },
  'late',
]

/** Of how many people a script tells, and what happens to them beside what changes their groups. */
const CASTS = {
  /** Alone, with whom it is clear what is right after somebody worked by hand. */
  one: { people: 1, others: [...OTHERS, ...BY_HAND_CHANGES] },
  /** Two, of whom one may want the other's address. */
  two: { people: 2, others: [...OTHERS, ...HANDOVERS, ...HANDOVERS] },
} as const satisfies Record<string, { people: number; others: readonly Change[] }>

function scriptFor({ people, others }: (typeof CASTS)[keyof typeof CASTS]): fc.Arbitrary<Script> {
  const who = fc.nat({ max: people - 1 })
  const membership = fc.record({ who, what: fc.constantFrom<Change>(...MEMBERSHIPS) })
  const other = fc.record({ who, what: fc.constantFrom<Change>(...others) })
  const change = fc.oneof({ weight: 3, arbitrary: membership }, { weight: 2, arbitrary: other })
  return fc.record({
    before: fc.array(membership, { maxLength: 3 * people }),
    turns: fc.array(
      fc.record({
        read: fc.constantFrom(...READS),
        write: fc.constantFrom(...WRITES),
        change: fc.option(change, { nil: undefined, freq: 2 }),
      }),
      { minLength: 1, maxLength: 14 * people, size: 'max' },
    ),
  })
}

/**
 * One person, or two, after the other, of whom Campaign Manager lags, lies and fails call by call, as a script says, while the
 * directory changes during those very calls. Once it answers as it should, the account has to be as the directory says.
 */
export async function checkScripts(
  t: Test,
  cast: keyof typeof CASTS,
  runs: number,
  seed?: number,
): Promise<void> {
  const service = await startTestService(t, {
    roles: ROLES,
    env: {
      PLACEHOLDER_ROLE: ROLES[0] ?? '',
      ON_DEACTIVATE: 'suspend',
      DELETION_GUARD_COUNT: '0',
      CAMPAIGN_MANAGER_TIMEOUT_MS: String(TIMEOUT_MS),
      // The same seed is to give the same calls.
      CAMPAIGN_MANAGER_CONCURRENCY: '1',
    },
  })
  const groups = await createScriptedGroups(service)
  const { people } = CASTS[cast]
  let played = 0
  const property = fc.asyncProperty(scriptFor(CASTS[cast]), async (script) => {
    played += 1
    const names = Array.from({ length: people }, (_, index) => `scripted-${played}-${index}`)
    // Only the first may want the other's: an exchange of addresses has no step that Campaign Manager allows.
    const persons = names.map((name, who) => new ScriptedPerson(service, groups, name, names[who + 1]))
    await play(service, persons, script).finally(() => forget(service, persons))
  })
  const result = await fc.check(property, { numRuns: runs, ...(seed !== undefined && { seed }) })
  t.comment(`${result.numRuns} scripts, seed ${result.seed}`)
  if (result.failed) t.fail(`${String(result.errorInstance)}\n${fc.defaultReportMessage(result)}`)
  else t.pass('after every script the account is as the directory says')
}

async function play(
  service: TestService,
  persons: readonly ScriptedPerson[],
  { before, turns }: Script,
): Promise<void> {
  const { sandbox, settle, retry } = service
  const { state } = sandbox
  const { db } = service.database
  const first = state.requests.length
  const perform = async ({ who, what }: Step) => persons[who]?.perform(what)
  const everyone = async (what: Change) => {
    for (const person of persons) await person.perform(what)
  }
  await everyone('create user')
  for (const step of before) await perform(step)
  const late = new LateWrites()
  const left = [...turns]
  follow(state, left, perform, late)
  try {
    await settle()
    // At once, not after the time in which a lagging read is expected to catch up.
    for (let round = 0; round < 10 && left.length > 0; round += 1) {
      await sql`update dirty_user set not_before = now()`.execute(db)
      await settle()
    }
  } finally {
    state.onRequest = undefined
    state.onApplied = undefined
    state.faults.clear()
    await late.release()
  }
  // Two of one address cannot both have an account.
  if (persons.length > 1) await everyone('have own address')
  const ids = persons.flatMap(({ userIds }) => userIds)
  const unsettled = async () =>
    (await sql`select * from dirty_user where user_id = any(${ids}::uuid[])`.execute(db)).rows
  // More than once, because the circuit breaker may have opened, which no retry closes.
  await waitUntil(
    'nobody is dirty',
    30_000,
    async () => {
      await sql`
        update account set write_pending_since = write_pending_since - interval '10 minutes'`.execute(db)
      await retry()
      return (await unsettled()).length === 0
    },
    async () => ({ dirty: await unsettled(), told: told() }),
  )
  if (!persons.some(({ touchedByHand }) => touchedByHand)) expectAccounts()
  await service.resync()
  expectAccounts()

  function expectAccounts(): void {
    for (const person of persons) {
      const fault = person.fault()
      if (fault !== undefined) throw new Error(`${fault}\n${told()}`)
    }
  }

  function told(): string {
    return state.requests
      .slice(first)
      .map((record) => [record.method, record.route, record.status, record.faulted, record.roles].join(' '))
      .join('\n')
  }
}

/** Nothing is left to do for anybody, whatever went wrong. */
async function forget({ database, sandbox }: TestService, persons: readonly ScriptedPerson[]): Promise<void> {
  for (const person of persons) await person.perform('delete user')
  for (const { id } of sandbox.state.users()) sandbox.state.removeUser(id)
  await sql`delete from dirty_user`.execute(database.db)
  await sql`delete from account`.execute(database.db)
}

/** Writes that nobody waits for any more when they arrive. */
class LateWrites {
  readonly #held: { record: RequestRecord; go: () => void }[] = []

  hold(record: RequestRecord): Promise<void> {
    return new Promise((go) => this.#held.push({ record, go }))
  }

  /** Once this returns, they have been carried out. */
  async release(): Promise<void> {
    for (const { record, go } of this.#held.splice(0)) {
      go()
      while (record.ended === undefined) await new Promise(setImmediate)
    }
  }
}

/** Has each further call take the next turn. */
function follow(
  state: SandboxState,
  left: Turn[],
  perform: (step: Step) => Promise<void>,
  late: LateWrites,
): void {
  let afterwards: Step | undefined
  state.onRequest = async (record) => {
    if (record.route === 'roles') return
    state.faults.clear()
    const turn = left.shift()
    if (record.method === 'GET' && turn?.change !== undefined) await late.release()
    const asked = record.method === 'GET' ? turn?.read : turn?.write
    // Where an account was moved away from its address meanwhile, a late creation makes a second one there: a known limit.
    const fault: Turn['write'] = asked === 'late' && record.method === 'POST' ? { kind: 'reset' } : asked
    if (fault === 'late') {
      if (turn?.change !== undefined) await perform(turn.change)
      return late.hold(record)
    }
    if (fault !== undefined) state.faults.set({ ...fault, times: 1 })
    afterwards = undefined
    if (turn?.change === undefined) return
    // During a read before its answer; during a write after it took effect, or before it where it does not.
    const isCarriedOut =
      fault === undefined || ['repeated', 'partial', 'cut_off', 'truncated'].includes(fault.kind)
    if (record.method !== 'GET' && isCarriedOut) afterwards = turn.change
    else await perform(turn.change)
  }
  state.onApplied = async () => {
    const what = afterwards
    afterwards = undefined
    if (what !== undefined) await perform(what)
  }
}
