import * as fc from 'fast-check'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import type { RequestRecord } from '../../src/sandbox/request-log.ts'
import { addMembers, groupBody, patchBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'

const PLACEHOLDER = 'Placeholder'
const GROUPS = ['Agents', 'Analyst'] as const
const BY_HAND = 'Auditor'

type Change =
  | `${'join' | 'leave'} ${(typeof GROUPS)[number]}`
  | 'change address'
  | 'give by hand'
  | 'delete user'

/** What befalls one call to Campaign Manager, and what happens in the directory meanwhile. */
interface Turn {
  readonly read: FaultRule | undefined
  readonly write: FaultRule | undefined
  readonly change: Change | undefined
}

interface Script {
  readonly before: readonly Change[]
  readonly turns: readonly Turn[]
}

const LAG = 600_000
const READS: readonly (FaultRule | undefined)[] = [
  undefined,
  { kind: 'stale', durationMs: LAG },
  { kind: 'stale', durationMs: LAG },
  { kind: 'not_found' },
  { kind: 'error', status: 500 },
]
const WRITES: readonly (FaultRule | undefined)[] = [
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
]
const MEMBERSHIPS: readonly Change[] = GROUPS.flatMap(
  (name) => [`join ${name}`, `leave ${name}`] satisfies Change[],
)

const change = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...MEMBERSHIPS) },
  { weight: 2, arbitrary: fc.constant<Change>('change address') },
  { weight: 1, arbitrary: fc.constant<Change>('give by hand') },
  { weight: 1, arbitrary: fc.constant<Change>('delete user') },
)
const script: fc.Arbitrary<Script> = fc.record({
  before: fc.array(fc.constantFrom(...MEMBERSHIPS), { maxLength: 3 }),
  turns: fc.array(
    fc.record({
      read: fc.constantFrom(...READS),
      write: fc.constantFrom(...WRITES),
      change: fc.option(change, { nil: undefined, freq: 2 }),
    }),
    { minLength: 1, maxLength: 12, size: 'max' },
  ),
})

/**
 * One person after the other, of whom Campaign Manager lags, lies and fails call by call, as a script says, while the
 * directory changes during those very calls. Once it answers as it should, the account has to be as the directory says.
 */
export async function checkScripts(t: Test, runs: number): Promise<void> {
  const service = await startTestService(t, {
    roles: [PLACEHOLDER, ...GROUPS, BY_HAND],
    env: { PLACEHOLDER_ROLE: PLACEHOLDER, DELETION_GUARD_COUNT: '0' },
  })
  const groupIds = new Map<string, string>()
  for (const name of GROUPS)
    groupIds.set(name, (await service.scim('POST', '/Groups', groupBody(name))).body.id)
  let persons = 0
  const property = fc.asyncProperty(script, async (each) => {
    persons += 1
    await play(service, groupIds, `scripted-${persons}`, each)
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

async function play(
  service: TestService,
  groupIds: ReadonlyMap<string, string>,
  name: string,
  { before, turns }: Script,
): Promise<void> {
  const { scim, sandbox, settle, retry } = service
  const { state } = sandbox
  const { db } = service.database
  const addresses = [`${name}@example.com`]
  const id: string = (await scim('POST', '/Users', userBody(name))).body.id
  const first = state.requests.length
  const memberOf = new Set<string>()
  const byHand = new Set<string>()
  let hasJoined = false
  let isDeleted = false

  const accounts = () => state.users().filter(({ email }) => addresses.includes(email))
  const perform = async (what: Change): Promise<void> => {
    if (what === 'give by hand') {
      const account = accounts()[0]
      if (!account) return
      byHand.add(BY_HAND)
      state.editUser(account.id, { roles: [...new Set([...account.roles, BY_HAND])] })
      return
    }
    if (isDeleted) return
    if (what === 'delete user') {
      isDeleted = true
      memberOf.clear()
      await scim('DELETE', `/Users/${id}`)
      return
    }
    if (what === 'change address') {
      const value = `${name}-${addresses.length}@example.com`
      addresses.push(value)
      await scim(
        'PATCH',
        `/Users/${id}`,
        patchBody({ op: 'Replace', path: 'emails[type eq "work"].value', value }),
      )
      return
    }
    const [verb, group = ''] = what.split(' ')
    const path = `/Groups/${groupIds.get(group)}`
    await scim('PATCH', path, verb === 'join' ? addMembers(id) : removeMembers(id))
    if (verb === 'leave') memberOf.delete(group)
    else {
      memberOf.add(group)
      hasJoined = true
    }
  }

  for (const what of before) await perform(what)
  let left = [...turns]
  let afterwards: Change | undefined
  state.onRequest = async ({ method, route }: RequestRecord) => {
    if (route === 'roles') return
    const turn = left.shift()
    const fault = method === 'GET' ? turn?.read : turn?.write
    state.faults.set(...(fault === undefined ? [] : [{ ...fault, times: 1 }]))
    afterwards = undefined
    // A change during a read comes before its answer; one during a write after it took effect, or before it where it does not.
    if (turn?.change === undefined) return
    if (method === 'GET' || fault?.kind === 'error' || fault?.kind === 'reset' || fault?.kind === 'html') {
      await perform(turn.change)
    } else afterwards = turn.change
  }
  state.onApplied = async () => {
    const what = afterwards
    afterwards = undefined
    if (what !== undefined) await perform(what)
  }
  try {
    await settle()
    // At once, not after the time in which a lagging read is expected to catch up.
    for (let round = 0; round < 8 && left.length > 0; round += 1) {
      await sql`update dirty_user set not_before = now()`.execute(db)
      await settle()
    }
  } finally {
    left = []
    state.onRequest = undefined
    state.onApplied = undefined
    state.faults.clear()
  }
  for (let round = 0; round < 5; round += 1) {
    await sql`update account set write_pending_since = write_pending_since - interval '10 minutes'`.execute(
      db,
    )
    await retry()
  }
  const { rows } = await sql`select failure, failure_detail from dirty_user`.execute(db)
  if (rows.length > 0) throw new Error(`does not settle: ${JSON.stringify(rows)}`)
  // What somebody did by hand is only seen by a resync.
  if (byHand.size === 0) expectAccount()
  await service.resync()
  expectAccount()
  await perform('delete user')
  await retry()

  function expectAccount(): void {
    const roles = new Set([...byHand, ...memberOf])
    if (roles.size === 0 && !hasJoined) roles.add(PLACEHOLDER)
    const isThere = !isDeleted && roles.size > 0
    const expected = isThere ? [`${addresses.at(-1)} ${[...roles].sort()}`] : []
    const actual = accounts().map((account) => `${account.email} ${[...account.roles].sort()}`)
    if (expected.join() === actual.join()) return
    const told = state.requests
      .slice(first)
      .map((record) => [record.method, record.route, record.status, record.faulted, record.roles].join(' '))
    throw new Error(`should be [${expected}], but is [${actual}]\n${told.join('\n')}`)
  }
}
