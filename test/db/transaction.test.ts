import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect } from '../../src/db/connect.ts'
import { inTransaction, RetryTransaction } from '../../src/db/transaction.ts'
import { createEmptyDatabase } from '../support/database.ts'
import { log } from '../support/test-run.ts'

async function setup(t: Test) {
  const { url } = await createEmptyDatabase(t)
  const { db, close } = connect({ url, log })
  t.teardown(close)
  await sql
    .raw(
      'create table counter (id int primary key, n int not null); insert into counter values (1, 0), (2, 0)',
    )
    .execute(db)
  const counts = async () => {
    const { rows } = await sql<{ n: number }>`select n from counter order by id`.execute(db)
    return rows.map(({ n }) => n)
  }
  return { db, counts }
}

const increment = (id: number) => sql`update counter set n = n + 1 where id = ${id}`

t.test('commits what the body did, and returns its value', async (t) => {
  const { db, counts } = await setup(t)
  const value = await inTransaction(db, async (trx) => {
    await increment(1).execute(trx)
    const { rows } = await sql<{ transaction_isolation: string }>`show transaction_isolation`.execute(trx)
    return rows[0]?.transaction_isolation
  })
  t.equal(value, 'read committed')
  t.strictSame(await counts(), [1, 0])
})

t.test('rolls back and rethrows an error of the body, once', async (t) => {
  const { db, counts } = await setup(t)
  const failure = new Error('no')
  let runs = 0
  const attempt = inTransaction(db, async (trx) => {
    runs++
    await increment(1).execute(trx)
    throw failure
  })
  await t.rejects(attempt, failure)
  t.equal(runs, 1)
  t.strictSame(await counts(), [0, 0])
})

t.test('runs the body again when it asks for that', async (t) => {
  const { db, counts } = await setup(t)
  let runs = 0
  await inTransaction(db, async (trx) => {
    await increment(1).execute(trx)
    if (++runs < 3) throw new RetryTransaction('somebody was faster')
  })
  t.equal(runs, 3)
  t.strictSame(await counts(), [1, 0], 'only the last run counts')
})

t.test('gives up after so many attempts, with the last reason', async (t) => {
  const { db } = await setup(t)
  let runs = 0
  const attempt = inTransaction(
    db,
    async () => {
      throw new RetryTransaction(`attempt ${++runs}`)
    },
    { attempts: 2 },
  )
  await t.rejects(attempt, { name: 'RetryTransaction', message: 'attempt 2' })
})

t.test('both of two transactions that lock each other out succeed', async (t) => {
  const { db, counts } = await setup(t)
  const started = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  let runs = 0
  const both = async (own: 0 | 1) =>
    inTransaction(db, async (trx) => {
      runs++
      await increment(own + 1).execute(trx)
      started[own].resolve()
      await started[1 - own]?.promise
      await increment(2 - own).execute(trx)
    })
  await Promise.all([both(0), both(1)])
  t.ok(runs > 2, 'one was the victim of a deadlock')
  t.strictSame(await counts(), [2, 2])
})
