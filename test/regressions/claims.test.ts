import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import t from 'tap'
import type { Database } from '../../src/db/tables.ts'
import type { Attempt } from '../../src/reconcile/attempt.ts'
import { claimDirty, postponeClaim, renewClaims } from '../../src/reconcile/dirty-set.ts'
import { markDirty } from '../../src/reconcile/mark-users.ts'
import { createWorker } from '../../src/reconcile/worker.ts'
import { metric } from '../e2e/setup.ts'
import { openDatabase } from '../support/database.ts'
import { startTestService } from '../support/service.ts'
import { insertDirty } from './setup.ts'

const quiet = { info() {}, warn() {}, error() {} }

/** A worker whose attempts end as `attempt` says, on a clock that stands still unless told. */
function workerOf(db: Kysely<Database>, attempt: (userId: string) => Attempt) {
  const clock = { now: 0 }
  const anHour = { baseMs: 3_600_000, maxMs: 3_600_000 }
  const worker = createWorker({
    db,
    attempt: async ({ userId }) => attempt(userId),
    lines: async (tenants) => new Map([['shared', tenants.map(({ tenantId }) => tenantId)]]),
    concurrency: 10,
    pollMs: 60_000,
    parkedMs: 3_600_000,
    failed: anHour,
    unavailable: anHour,
    monotonic: () => clock.now,
    random: () => 0.5,
    log: quiet,
    observe: () => {},
  })
  return { worker, clock }
}

const away: Attempt = { kind: 'failed', scope: 'campaign_manager', reason: 'internal', detail: 'away' }
const waits: Attempt = { kind: 'waiting', reason: 'role_unknown', detail: 'no role has the name' }
const waitsUnasked: Attempt = { ...waits, reason: 'no_email', unasked: true }
const done: Attempt = { kind: 'done', outcome: 'unchanged' }

/** Longer than the breaker ever pauses. */
const PAUSE_MS = 120_000

/** As after a wait that is long over. */
const makeDue = (db: Kysely<Database>) =>
  sql`update dirty_user set not_before = now() - interval '1 day'`.execute(db)

t.test(
  'users that never failed are claimed before those that failed, however long these have been due',
  async (t) => {
    const { db } = await openDatabase(t)
    await insertDirty(db, 20)
    for (const claim of await claimDirty(db, 20)) {
      await postponeClaim(db, claim, { reason: 'internal', detail: 'away' }, 0)
    }
    await makeDue(db)
    const fresh = await insertDirty(db, 3)
    const claimed = (await claimDirty(db, 3)).map(({ userId }) => userId)
    t.strictSame(claimed.sort(), fresh.sort())
    t.equal((await claimDirty(db, 100)).length, 20, 'and the others after them')
  },
)

t.test('accounts that always fail keep nobody else from being seen to', async (t) => {
  const { db } = await openDatabase(t)
  const poisoned = new Set(await insertDirty(db, 10))
  const attempted: string[] = []
  const { worker, clock } = workerOf(db, (userId) => {
    attempted.push(userId)
    return poisoned.has(userId) ? away : done
  })
  await worker.runOnce()
  t.equal(worker.circuitOpen, true)
  await makeDue(db)
  const [good = ''] = await insertDirty(db, 1)
  attempted.length = 0
  t.equal(await worker.runOnce(), 0, 'nothing passes while the breaker is open')
  clock.now += PAUSE_MS
  t.equal(await worker.runOnce(), 1, 'one probe')
  t.strictSame(attempted, [good], 'which is the change that never failed')
  t.equal(worker.circuitOpen, false)
})

t.test('who waits, and Campaign Manager was not asked, does not close the circuit breaker', async (t) => {
  const { db } = await openDatabase(t)
  const failing = await insertDirty(db, 10)
  const outcomes = new Map<string, Attempt>(failing.map((userId) => [userId, away]))
  const { worker, clock } = workerOf(db, (userId) => outcomes.get(userId) ?? done)
  await worker.runOnce()
  t.equal(worker.circuitOpen, true)

  const [waiting = ''] = await insertDirty(db, 1)
  outcomes.set(waiting, waitsUnasked)
  clock.now += PAUSE_MS
  t.equal(await worker.runOnce(), 1)
  const { rows } = await sql`select failure from dirty_user where user_id = ${waiting}`.execute(db)
  t.strictSame(rows, [{ failure: 'no_email' }])
  t.equal(worker.circuitOpen, true, 'it may not even have asked Campaign Manager')

  await insertDirty(db, 5)
  t.equal(await worker.runOnce(), 1, 'still one probe at a time')
  t.equal(worker.circuitOpen, false, 'what was done was done by Campaign Manager')
})

t.test('who waits for what Campaign Manager answered closes the circuit breaker', async (t) => {
  const { db } = await openDatabase(t)
  let outcome: Attempt = away
  const { worker, clock } = workerOf(db, () => outcome)
  await insertDirty(db, 10)
  await worker.runOnce()
  t.equal(worker.circuitOpen, true)
  outcome = waits
  await makeDue(db)
  clock.now += PAUSE_MS
  t.equal(await worker.runOnce(), 1)
  t.equal(worker.circuitOpen, false, 'it answered')
})

t.test('a circuit breaker closes when another process has done what was to be done', async (t) => {
  const { db } = await openDatabase(t)
  const { worker, clock } = workerOf(db, () => away)
  const [parked = ''] = await insertDirty(db, 10)
  await worker.runOnce()
  t.equal(worker.circuitOpen, true)
  await sql`delete from dirty_user where user_id <> ${parked}`.execute(db)
  await worker.runOnce()
  t.equal(worker.circuitOpen, true, 'not before its pause is over')
  clock.now += PAUSE_MS
  t.equal(await worker.runOnce(), 0)
  t.equal(worker.circuitOpen, false, 'nobody is left to find out with but who waits for long')
})

t.test('claims are renewed and users marked at the same time without a deadlock', async (t) => {
  const ROUNDS = 20
  const { db } = await openDatabase(t)
  await insertDirty(db, 100)
  const claims = (await claimDirty(db, 100)).sort((a, b) => (a.userId < b.userId ? 1 : -1))
  const ids = claims.map(({ userId }) => userId)
  const again = async (run: () => Promise<unknown>) => {
    for (let round = 0; round < ROUNDS; round += 1) await run()
  }
  const renew = () => renewClaims(db, claims)
  const mark = () => db.transaction().execute((trx) => markDirty(trx, 1, ids))
  // A deadlock rejects with Postgres' code 40P01.
  await Promise.all([again(renew), again(mark), again(renew), again(mark)])
  const { rows } = await sql`select distinct generation from dirty_user`.execute(db)
  t.strictSame(rows, [{ generation: String(1 + 2 * ROUNDS) }], 'every change counts')
  await sql`update dirty_user set leased_until = now() + interval '1 second'`.execute(db)
  await renew()
  const { rows: renewed } = await sql`
    select count(*)::integer as count from dirty_user where leased_until > now() + interval '30 seconds'`.execute(
    db,
  )
  t.strictSame(renewed, [{ count: 100 }], 'and every claim is renewed')
})

t.test('a resync does not fail while deleted accounts are being finished', async (t) => {
  const service = await startTestService(t)
  const { db } = service.database
  const { resync } = service.running.service
  for (let round = 0; round < 3; round += 1) {
    await insertDirty(db, 150)
    let settled = false
    const settling = service.settle().finally(() => {
      settled = true
    })
    const marking = async () => {
      while (!settled) await resync.markEveryone()
    }
    // 23503 is the foreign key to an account that has just gone, 40P01 a deadlock with the one that finishes it.
    await Promise.all([settling, marking()])
    await service.settle()
    const { rows } = await sql`select user_id from account`.execute(db)
    t.strictSame(rows, [], 'all are finished')
  }
  t.equal(await metric(service, 'reconcile_total{outcome="error"}'), 0)
})
