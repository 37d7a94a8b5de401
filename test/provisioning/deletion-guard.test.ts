import t, { type Test } from 'tap'
import { areTooMany, createDeletionGuard } from '../../src/provisioning/deletion-guard.ts'
import { entra } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'

t.test('too many are more than the count and more than the share', async (t) => {
  const limits = { count: 3, percent: 20 }
  const cases: [deleted: number, pending: number, accounts: number, tooMany: boolean][] = [
    [0, 4, 19, true],
    [4, 0, 19, true],
    [2, 2, 19, true],
    [0, 4, 20, false],
    [0, 3, 3, false],
    [0, 0, 0, false],
  ]
  for (const [deleted, pending, accounts, tooMany] of cases) {
    t.equal(
      areTooMany({ deleted, pending, accounts }, limits),
      tooMany,
      `${deleted} + ${pending} of ${accounts}`,
    )
  }
  const all = { deleted: 0, pending: 1000, accounts: 1000 }
  t.equal(areTooMany(all, { count: 0, percent: 0 }), false, 'off')
  t.equal(areTooMany(all, { count: 1, percent: 100 }), false, 'never more than all')
})

const people = ['ann', 'bob', 'cid', 'dan', 'eve']

async function fivePeople(t: Test) {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of people) await actor.createUser(name)
  await actor.add('Agents', ...people)
  await service.settle()
  const { pool, db } = service.database
  const { rows } = await pool.query('select tenant_id from tenant')
  const said: object[] = []
  const time = { now: 0 }
  const createGuard = () =>
    createDeletionGuard({
      db,
      limits: { count: 3, percent: 20 },
      counting: { windowMinutes: 10, deletesForeign: true },
      monotonic: () => time.now,
      log: { error: (fields) => said.push(fields) },
    })
  return { actor, pool, tenantId: rows[0]?.tenant_id as number, said, time, createGuard }
}

t.test('one count serves for a second, but never for more deletions than the limit', async (t) => {
  const { actor, tenantId, said, createGuard } = await fivePeople(t)
  const [one, other] = [createGuard(), createGuard()]
  t.equal(await one(tenantId), true, 'counted')
  await actor.deleteGroup('Agents')
  t.equal(await one(tenantId), true, 'not counted again')
  t.equal(await one(tenantId), true)
  t.equal(await one(tenantId), false, 'a fourth is counted, and held')
  t.equal(await other(tenantId), false, 'by every process')
  t.strictSame(said, [{ tenantId, deleted: 0, pending: 5, accounts: 5, minutes: 10 }], 'and said once')
})

t.test('a second later it is counted anew', async (t) => {
  const { actor, tenantId, time, createGuard } = await fivePeople(t)
  const guard = createGuard()
  t.equal(await guard(tenantId), true)
  await actor.deleteGroup('Agents')
  time.now += 1000
  t.equal(await guard(tenantId), false)
})

t.test('deletions count for as long as the window lasts', async (t) => {
  const { pool, tenantId, time, createGuard } = await fivePeople(t)
  const guard = createGuard()
  const deletedBefore = (minutes: number) =>
    pool.query(
      `insert into account_deletion (tenant_id, user_id, begun_at)
       select $1, gen_random_uuid(), now() - make_interval(mins => $2) from generate_series(1, 4)`,
      [tenantId, minutes],
    )
  await deletedBefore(11)
  t.equal(await guard(tenantId), true)
  t.strictSame((await pool.query('select from account_deletion')).rows, [], 'and are forgotten then')
  await deletedBefore(9)
  time.now += 1000
  t.equal(await guard(tenantId), false)
})
