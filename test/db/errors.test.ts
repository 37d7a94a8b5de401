import { createServer } from 'node:net'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect } from '../../src/db/connect.ts'
import { isRetryable, isUnavailable, uniqueViolation } from '../../src/db/errors.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createEmptyDatabase } from '../support/database.ts'
import { log } from '../support/test-run.ts'

async function setup(t: Test, options: { poolMax?: number; queryTimeoutMillis?: number } = {}) {
  const { url, drop } = await createEmptyDatabase(t)
  const connection = connect({ url, log, ...options })
  t.teardown(() => connection.close())
  return { url, drop, ...connection }
}

async function failureOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
}

const terminate = (pid: number) => sql`select pg_terminate_backend(${pid})`
const backend = sql<{ pid: number }>`select pg_backend_pid() as pid`

t.test('broken constraints are told by name', async (t) => {
  const { db } = await setup(t)
  await sql
    .raw(`
    create table parent (id int, constraint parent_id_key primary key (id));
    create table child (parent_id int, constraint child_parent_fk foreign key (parent_id) references parent (id));
    insert into parent values (1);
    insert into child values (1);`)
    .execute(db)

  const twice = await failureOf(sql`insert into parent values (1)`.execute(db))
  t.equal(uniqueViolation(twice), 'parent_id_key')
  t.equal(uniqueViolation(new Error('adding failed', { cause: twice })), 'parent_id_key', 'also as a cause')

  const orphan = await failureOf(sql`insert into child values (2)`.execute(db))
  t.equal(uniqueViolation(orphan), undefined)

  for (const error of [twice, orphan, new Error('other'), undefined, 'text']) {
    t.notOk(isUnavailable(error))
    t.notOk(isRetryable(error))
  }
})

t.test('a role, password or database that is not accepted is unavailability', async (t) => {
  const { url } = await setup(t)
  const others = [{ username: 'nobody_here', password: 'wrong' }, { pathname: '/nowhere_at_all' }]
  for (const other of others) {
    const elsewhere: URL = Object.assign(new URL(url), other)
    const { db, close } = connect({ url: elsewhere.href, log })
    const error = await failureOf(sql`select 1`.execute(db))
    t.ok(isUnavailable(error), String(error))
    await close()
  }
})

t.test('a query that was cancelled or may not write is unavailability', async (t) => {
  const { db } = await setup(t)
  const failures = [
    `set local statement_timeout = 20; select pg_sleep(10)`,
    `set transaction read only; create table a (id int)`,
  ]
  for (const statements of failures) {
    const error = await failureOf(db.transaction().execute((trx) => sql.raw(statements).execute(trx)))
    t.ok(isUnavailable(error), String(error))
    t.notOk(isRetryable(error))
  }
})

t.test('nobody listens', async (t) => {
  const { db, close } = connect({ url: 'postgres://nobody@127.0.0.1:1/none', log })
  t.teardown(close)
  const error = await failureOf(backend.execute(db))
  t.match(error, { code: 'ECONNREFUSED' })
  t.ok(isUnavailable(error))
  t.ok(isUnavailable(new AggregateError([error])), 'as Node reports a name with two addresses')
})

t.test('the server hangs up', async (t) => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const { db, close } = connect({ url: `postgres://nobody@127.0.0.1:${port}/none`, log })
  t.teardown(close)
  t.ok(isUnavailable(await failureOf(backend.execute(db))))
})

t.test('wrong use is not unavailability', async (t) => {
  const { db } = await setup(t)
  t.notOk(isUnavailable(await failureOf(sql`select nonsense`.execute(db))))
})

t.test('a backend that is terminated while it works', async (t) => {
  const { db, url } = await setup(t)
  const other = connect({ url, log })
  t.teardown(() => other.close())
  const error = await failureOf(
    db.connection().execute(async (one) => {
      const { rows } = await backend.execute(one)
      const [slow] = await Promise.allSettled([
        sql`select pg_sleep(30)`.execute(one),
        terminate(rows[0]?.pid ?? 0).execute(other.db),
      ])
      if (slow.status === 'rejected') throw slow.reason
    }),
  )
  t.match(error, { code: '57P01' })
  t.ok(isUnavailable(error))
  t.equal((await backend.execute(db)).rows.length, 1, 'the pool goes on')
})

t.test('a backend that is terminated between two queries of a transaction', async (t) => {
  const { db, url } = await setup(t)
  const other = connect({ url, log })
  t.teardown(() => other.close())
  const error = await failureOf(
    inTransaction(db, async (trx) => {
      const { rows } = await backend.execute(trx)
      await terminate(rows[0]?.pid ?? 0).execute(other.db)
      await backend.execute(trx)
    }),
  )
  t.ok(isUnavailable(error), String(error))
  t.equal((await backend.execute(db)).rows.length, 1)
})

t.test('an idle backend that is terminated does not end the process', async (t) => {
  const { db, pool, url } = await setup(t, { poolMax: 1 })
  const other = connect({ url, log })
  t.teardown(() => other.close())
  const { rows } = await backend.execute(db)
  const noticed = new Promise((resolve) => pool.once('error', resolve))
  await terminate(rows[0]?.pid ?? 0).execute(other.db)
  t.ok(isUnavailable(await noticed))
  t.equal((await backend.execute(db)).rows.length, 1)
})

t.test('a query without an answer gives up its connection', async (t) => {
  const { db } = await setup(t, { poolMax: 1, queryTimeoutMillis: 100 })
  const before = await backend.execute(db)
  const error = await failureOf(sql`select pg_sleep(30)`.execute(db))
  t.match(error, { message: 'Query read timeout' })
  t.ok(isUnavailable(error))
  const after = await backend.execute(db)
  t.not(after.rows[0]?.pid, before.rows[0]?.pid, 'the next query does not queue behind the old one')

  const inside = await failureOf(inTransaction(db, (trx) => sql`select pg_sleep(30)`.execute(trx)))
  t.match(inside, { message: 'Query read timeout' }, 'not the rollback that fails after it')
})

t.test('a pool that is closed', async (t) => {
  const { db, close } = await setup(t)
  await backend.execute(db)
  await close()
  await close()
  t.ok(isUnavailable(await failureOf(backend.execute(db))))
})

t.test('int8 arrives as text, or as the pool’s own parsers say', async (t) => {
  const { db, url } = await setup(t)
  const big = sql<{ n: unknown }>`select 9007199254740993::int8 as n`
  t.equal((await big.execute(db)).rows[0]?.n, '9007199254740993')
  const types = { getTypeParser: () => (text: string) => BigInt(text) }
  const other = connect({ url, log, types })
  t.teardown(() => other.close())
  t.equal((await big.execute(other.db)).rows[0]?.n, 9007199254740993n)
})
