// The service is killed (SIGKILL) between its calls while deletions are held, called off, taken over and released: at the
// k-th boundary of each of these. CI tries every STRIDE-th k; KILL_STRIDE=n every n-th, KILL_ALL=1 every one.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connect } from '../../src/db/connect.ts'
import { decideDeletions } from '../../src/provisioning/decide-deletions.ts'
import { startKillRun } from '../support/kill-run.ts'
import { addMembers, groupBody, removeMembers, userBody } from '../support/scim-client.ts'
import { log } from '../support/test-run.ts'

const CI_STRIDE = 29
const STRIDE = process.env.KILL_ALL === '1' ? 1 : Number(process.env.KILL_STRIDE ?? CI_STRIDE)
const OFFSET = Number(process.env.KILL_OFFSET ?? 5)
const MOST_BOUNDARIES = 1000

t.setTimeout(STRIDE < CI_STRIDE ? 7_200_000 : 300_000)

const folder = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-guard-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const run = await startKillRun(t, folder, {
  env: { DELETION_GUARD_COUNT: '1', DELETION_GUARD_PERCENT: '0' },
  parked: 'deletion_held',
})
const { db, close } = connect({ url: run.databaseUrl, log, poolMax: 1 })
t.teardown(close)

async function send(method: string, path: string, body: object | undefined, ...statuses: number[]) {
  const answer = await run.scim(method, path, body)
  if (statuses.includes(answer.status)) return answer.body
  throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
}

async function ensure(collection: string, filter: string, body: object): Promise<string> {
  const created = await send('POST', collection, body, 201, 409)
  if (created.id) return created.id
  return (await send('GET', `${collection}?filter=${encodeURIComponent(filter)}`, undefined, 200))
    .Resources[0].id
}

const createUser = (name: string) => ensure('/Users', `userName eq "${name}@example.com"`, userBody(name))

/** What Campaign Manager shows of the two, and whether it was asked to delete one of them since the last time. */
function shown(names: readonly string[]) {
  const { state } = run.sandbox
  const accounts = names.map((name) => {
    const found = state.userByEmail(`${name}@example.com`)
    return found && { id: found.id, enabled: found.enabled, roles: [...found.roles] }
  })
  const deletions = state.requests.filter(({ method }) => method === 'DELETE').length
  state.resetRequests()
  return { accounts, deletions }
}

/** Acts, with a kill at the k-th boundary, and waits for everything to have reached Campaign Manager. */
async function killedDuring(k: number, act: () => Promise<unknown>): Promise<void> {
  await run.arm(k)
  await act()
  await run.converge()
  await run.arm(undefined)
  await send('GET', '/Groups?count=0', undefined, 200)
}

async function decide(decision: 'approved' | 'kept'): Promise<void> {
  const { tenant_id: tenantId } = await db.selectFrom('tenant').select('tenant_id').executeTakeFirstOrThrow()
  await decideDeletions(db, tenantId, decision)
}

/** Returns how often the service was killed. */
async function story(t: Test, k: number): Promise<number> {
  const names = [`deleted-${k}`, `released-${k}`]
  const at = (what: string) => `${what}, killed at boundary ${k}`
  const group = await ensure('/Groups', 'displayName eq "Agents"', groupBody('Agents'))
  const [deleted = '', released = ''] = [await createUser(names[0] ?? ''), await createUser(names[1] ?? '')]
  await send('PATCH', `/Groups/${group}`, addMembers(deleted, released), 204)
  await run.converge()
  const before = shown(names)
  const [first, second] = before.accounts
  const deaths = run.deaths

  const leave = async () => {
    // One request marks both, so that none is deleted before there are too many.
    await send('PATCH', `/Groups/${group}`, removeMembers(deleted, released), 204)
    await send('DELETE', `/Users/${deleted}`, undefined, 204, 404)
  }
  await killedDuring(k, leave)
  const disabled = [first, second].map((each) => ({ ...each, enabled: false }))
  t.same(shown(names), { accounts: disabled, deletions: 0 }, at('held'))

  await killedDuring(k, () => decide('kept'))
  t.same(shown(names), before, at('cancelled'))

  let anew = ''
  await killedDuring(k, async () => {
    anew = await createUser(names[0] ?? '')
    await send('PATCH', `/Groups/${group}`, addMembers(anew, released), 204)
  })
  t.same(shown(names), before, at('created anew, and in the group again'))
  const row = await run.account(anew)
  t.match(row, { campaign_manager_id: first?.id, granted: ['Agents'], foreign_roles: [] })

  await killedDuring(k, () => send('DELETE', `/Groups/${group}`, undefined, 204, 404))
  t.same(shown(names), { accounts: disabled, deletions: 0 }, at('held again'))
  await killedDuring(k, () => decide('approved'))
  t.same(shown(names).accounts, [undefined, undefined], at('released'))
  t.same(await db.selectFrom('dirty_user').select('user_id').execute(), [], at('nobody waits'))
  // The next story counts for itself.
  await db.deleteFrom('account_deletion').execute()
  return run.deaths - deaths
}

t.test('killed while deletions are held, called off, taken over and released', async (t) => {
  let kills = 0
  let k = OFFSET
  for (; k < MOST_BOUNDARIES; k += STRIDE) {
    const deaths = await story(t, k)
    kills += deaths
    if (deaths === 0 || !t.passing()) break
  }
  t.ok(k < MOST_BOUNDARIES, 'the story comes to its end when nothing kills it')
  t.comment(`${kills} kills tried`)
})
