import * as fc from 'fast-check'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import type { RequestRecord } from '../../src/sandbox/request-log.ts'
import type { SandboxState } from '../../src/sandbox/state.ts'
import { startTestService, type TestService } from '../support/service.ts'
import {
  type Change,
  createScriptedGroups,
  MEMBERSHIPS,
  OTHERS,
  ROLES,
  ScriptedPerson,
} from './scripted-person.ts'

/** What befalls one call to Campaign Manager, and what happens in the directory meanwhile. */
interface Turn {
  readonly read: FaultRule | undefined
  readonly write: FaultRule | 'late' | undefined
  readonly change: Change | undefined
}

interface Script {
  readonly before: readonly Change[]
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

const change = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<Change>(...MEMBERSHIPS) },
  { weight: 2, arbitrary: fc.constantFrom<Change>(...OTHERS) },
)
const script: fc.Arbitrary<Script> = fc.record({
  before: fc.array(fc.constantFrom<Change>(...MEMBERSHIPS), { maxLength: 3 }),
  turns: fc.array(
    fc.record({
      read: fc.constantFrom(...READS),
      write: fc.constantFrom(...WRITES),
      change: fc.option(change, { nil: undefined, freq: 2 }),
    }),
    { minLength: 1, maxLength: 14, size: 'max' },
  ),
})

/**
 * One person after the other, of whom Campaign Manager lags, lies and fails call by call, as a script says, while the
 * directory changes during those very calls. Once it answers as it should, the account has to be as the directory says.
 */
export async function checkScripts(t: Test, runs: number): Promise<void> {
  const service = await startTestService(t, {
    roles: ROLES,
    env: {
      PLACEHOLDER_ROLE: ROLES[0] ?? '',
      ON_DEACTIVATE: 'suspend',
      DELETION_GUARD_COUNT: '0',
      CAMPAIGN_MANAGER_TIMEOUT_MS: String(TIMEOUT_MS),
    },
  })
  const groups = await createScriptedGroups(service)
  let persons = 0
  const property = fc.asyncProperty(script, async (each) => {
    persons += 1
    await play(service, new ScriptedPerson(service, groups, `scripted-${persons}`), each)
  })
  const seed = process.env.CHAOS_SEED
  const result = await fc.check(property, {
    numRuns: runs,
    ...(seed !== undefined && { seed: Number(seed) }),
  })
  t.comment(`${result.numRuns} scripts, seed ${result.seed}`)
  if (result.failed) t.fail(`${String(result.errorInstance)}\n${fc.defaultReportMessage(result)}`)
  else t.pass('after every script the account is as the directory says')
}

async function play(service: TestService, person: ScriptedPerson, { before, turns }: Script): Promise<void> {
  const { sandbox, settle, retry } = service
  const { state } = sandbox
  const { db } = service.database
  const first = state.requests.length
  await person.perform('create user')
  for (const what of before) await person.perform(what)
  const late = new LateWrites()
  const left = [...turns]
  follow(state, left, person, late)
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
  for (let round = 0; round < 5; round += 1) {
    await sql`
      update account set write_pending_since = write_pending_since - interval '10 minutes'`.execute(db)
    await retry()
  }
  const { rows } = await sql`select failure, failure_detail from dirty_user`.execute(db)
  if (rows.length > 0) throw new Error(`does not settle: ${JSON.stringify(rows)}\n${told()}`)
  if (!person.touchedByHand) expectAccount()
  await service.resync()
  expectAccount()
  await person.perform('delete user')
  await retry()

  function expectAccount(): void {
    const fault = person.fault()
    if (fault !== undefined) throw new Error(`${fault}\n${told()}`)
  }

  function told(): string {
    return state.requests
      .slice(first)
      .map((record) => [record.method, record.route, record.status, record.faulted, record.roles].join(' '))
      .join('\n')
  }
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
function follow(state: SandboxState, left: Turn[], person: ScriptedPerson, late: LateWrites): void {
  let afterwards: Change | undefined
  state.onRequest = async (record) => {
    if (record.route === 'roles') return
    state.faults.clear()
    const turn = left.shift()
    if (record.method === 'GET' && turn?.change !== undefined) await late.release()
    const fault = record.method === 'GET' ? turn?.read : turn?.write
    if (fault === 'late') {
      if (turn?.change !== undefined) await person.perform(turn.change)
      return late.hold(record)
    }
    if (fault !== undefined) state.faults.set({ ...fault, times: 1 })
    afterwards = undefined
    if (turn?.change === undefined) return
    // During a read before its answer; during a write after it took effect, or before it where it does not.
    const isCarriedOut =
      fault === undefined || ['repeated', 'partial', 'cut_off', 'truncated'].includes(fault.kind)
    if (record.method !== 'GET' && isCarriedOut) afterwards = turn.change
    else await person.perform(turn.change)
  }
  state.onApplied = async () => {
    const what = afterwards
    afterwards = undefined
    if (what !== undefined) await person.perform(what)
  }
}
