import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import type { Attempt } from '../../src/reconcile/attempt.ts'
import { claimDirty, releaseClaim } from '../../src/reconcile/dirty-set.ts'
import { inTurn, LANES, listTenantStates, type TenantState } from '../../src/reconcile/tenant-states.ts'
import { createWorker } from '../../src/reconcile/worker.ts'
import { openDatabase } from '../support/database.ts'
import { explainStatements } from '../support/explained-statements.ts'

/** 200,000 give the same plans, and take a while to insert. */
const USERS = Number(process.env.CLAIM_USERS ?? 20_000)

type Db = Awaited<ReturnType<typeof openDatabase>>['db']

/** Dirty users of a tenant, who have been due for the longer the more there are. */
const insertDirty = (db: Db, tenantId: number, count: number, removal = false) =>
  sql`
    with added as (
      insert into account (tenant_id, user_id, standing)
      select ${tenantId}::integer, gen_random_uuid(), 'deleted' from generate_series(1, ${count}::integer)
      returning tenant_id, user_id
    )
    insert into dirty_user (tenant_id, user_id, removal_since, not_before)
    select tenant_id, user_id, case when ${removal} then now() end, now() - ${count} * interval '1 second' from added`.execute(
    db,
  )

/** Tenants 1, 2 and 3. */
async function threeTenants(t: Test) {
  const { db } = await openDatabase(t)
  for (const name of ['two', 'three']) t.equal(await createTenant(db, name), true)
  const { rows } = await sql<{ tenant_id: number }>`select tenant_id from tenant order by 1`.execute(db)
  const [one = 0, two = 0, three = 0] = rows.map(({ tenant_id }) => tenant_id)
  return { db, one, two, three }
}

const tenantsOf = (claims: readonly { tenantId: number }[]) => claims.map(({ tenantId }) => tenantId).sort()

t.test('the many users of one tenant do not stand before the few of another', async (t) => {
  const { db, one, two, three } = await threeTenants(t)
  await insertDirty(db, one, USERS)
  await insertDirty(db, two, 2)
  await insertDirty(db, three, 1)
  const { statements } = await explainStatements(t, async () => {
    t.strictSame(tenantsOf(await claimDirty(db, 6)), [one, one, one, two, two, three])
    t.strictSame((await listTenantStates(db)).length, 3)
  })
  const rows = Math.max(...statements.flatMap(({ nodes }) => nodes.map((node) => node.rows)))
  const steps = statements.flatMap(({ nodes }) => nodes.map(({ type, table }) => `${type} ${table}`))
  t.ok(rows <= 50, `${rows} rows`)
  t.notOk(steps.includes('Seq Scan dirty_user'), 'never analysed, and yet by an index')
  await sql`analyze dirty_user`.execute(db)
  const { statements: later } = await explainStatements(t, async () => {
    await claimDirty(db, 6)
    await listTenantStates(db)
  })
  const laterRows = Math.max(...later.flatMap(({ nodes }) => nodes.map((node) => node.rows)))
  t.ok(laterRows <= 50, `analysed: ${laterRows} rows`)
})

t.test('removals come first over all tenants', async (t) => {
  const { db, one, two, three } = await threeTenants(t)
  await insertDirty(db, one, 10)
  await insertDirty(db, two, 2, true)
  await insertDirty(db, three, 1, true)
  t.strictSame(tenantsOf(await claimDirty(db, 3)), [two, two, three])
})

t.test('nothing is claimed of a tenant that is disabled, or was not asked for', async (t) => {
  const { db, one, two } = await threeTenants(t)
  await insertDirty(db, one, 2)
  await insertDirty(db, two, 2)
  const claims = await claimDirty(db, 10, 'fresh', [two])
  t.strictSame(tenantsOf(claims), [two, two])
  for (const claim of claims) await releaseClaim(db, claim)
  await sql`update tenant set disabled_at = now() where tenant_id = ${two}`.execute(db)
  t.strictSame(tenantsOf(await claimDirty(db, 10)), [one, one])
  t.strictSame(await claimDirty(db, 10, 'fresh', [two]), [])
  t.notOk((await listTenantStates(db)).some(({ tenantId }) => tenantId === two))
})

t.test('with fewer places than tenants each has its turn, those with removals first', async (t) => {
  const [removals, grants] = LANES.fresh
  const state = (tenantId: number, ...due: TenantState['due'][number][]): TenantState => ({
    tenantId,
    settingsVersion: 1,
    due,
  })
  const all = [state(1, grants), state(2, grants), state(3), state(4, grants), state(5, removals, grants)]
  t.strictSame(inTurn(all, 2, 'fresh', 0), [5, 1])
  const three = all.slice(0, 4)
  t.strictSame(inTurn(three, 1, 'fresh', 0), [1])
  t.strictSame(inTurn(three, 1, 'fresh', 1), [2])
  t.strictSame(inTurn(three, 1, 'fresh', 2), [4])
  t.strictSame(inTurn(three, 1, 'fresh', 4), [1])
  t.strictSame(inTurn([state(3)], 5, 'fresh', 0), [])
})

t.test('on each line one probe at a time passes an open breaker, and the others go on', async (t) => {
  const { db, one, two, three } = await threeTenants(t)
  await insertDirty(db, one, 6)
  await insertDirty(db, two, 6)
  await insertDirty(db, three, 6)
  const away: Attempt = { kind: 'failed', scope: 'campaign_manager', reason: 'internal', detail: 'away' }
  const attempted: number[] = []
  const clock = { now: 0 }
  const worker = createWorker({
    db,
    attempt: async ({ tenantId }) => {
      attempted.push(tenantId)
      return tenantId === three ? { kind: 'done', outcome: 'unchanged' } : away
    },
    // One line for two tenants, and one that fails nobody.
    lines: async () =>
      new Map([
        ['down', [one, two]],
        ['up', [three]],
      ]),
    concurrency: 5,
    pollMs: 60_000,
    parkedMs: 3_600_000,
    failed: { baseMs: 3_600_000, maxMs: 3_600_000 },
    unavailable: { baseMs: 3_600_000, maxMs: 3_600_000 },
    monotonic: () => clock.now,
    random: () => 0.5,
    log: { info() {}, warn() {}, error() {} },
    observe: () => {},
  })
  t.equal(await worker.runOnce(), 10, 'five on each')
  t.strictSame([worker.circuitOpen, worker.isPaused('down'), worker.isPaused('up')], [true, true, false])
  attempted.length = 0
  await worker.runOnce()
  t.strictSame(new Set(attempted), new Set([three]))
  attempted.length = 0
  clock.now += 120_000
  await worker.runOnce()
  t.equal(attempted.filter((tenantId) => tenantId !== three).length, 1, 'one probe')
})

t.test('what is known of a line that serves nobody any more is forgotten', async (t) => {
  const { db, one } = await threeTenants(t)
  await insertDirty(db, one, 1)
  let name = 'before'
  const worker = createWorker({
    db,
    attempt: async () => ({ kind: 'failed', scope: 'credentials', reason: 'unauthorized', detail: 'no' }),
    lines: async () => new Map([[name, [one]]]),
    concurrency: 5,
    pollMs: 60_000,
    parkedMs: 3_600_000,
    failed: { baseMs: 3_600_000, maxMs: 3_600_000 },
    unavailable: { baseMs: 3_600_000, maxMs: 3_600_000 },
    monotonic: () => 0,
    random: () => 0.5,
    log: { info() {}, warn() {}, error() {} },
    observe: () => {},
  })
  await worker.runOnce()
  t.strictSame([worker.circuitOpen, worker.credentialsRefused], [true, true])
  name = 'after'
  await worker.runOnce()
  t.strictSame([worker.circuitOpen, worker.credentialsRefused], [false, false])
})
