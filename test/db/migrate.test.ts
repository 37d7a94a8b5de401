import { join } from 'node:path'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { connect } from '../../src/db/connect.ts'
import { isUnavailable } from '../../src/db/errors.ts'
import { checkSchema, migrate, migrateDatabase } from '../../src/db/migrate.ts'
import { createDatabase, createEmptyDatabase } from '../support/database.ts'
import { log } from '../support/test-run.ts'
import { until } from '../support/until.ts'

const first = {
  '0001_tables.sql': 'create table a (id int primary key);\ncreate table b (id int primary key);',
  '0002_rows.sql': 'insert into a values (1);\ninsert into b values (2);',
}

async function setup(t: Test) {
  const { url } = await createEmptyDatabase(t)
  const { db, close } = connect({ url, log })
  t.teardown(close)
  const pendingMigrations = async (folder: string) => (await checkSchema(db, { folder })).pending
  const tables = async () => {
    const { rows } = await sql<{ tablename: string }>`
      select tablename from pg_tables where schemaname = 'public' order by 1`.execute(db)
    return rows.map(({ tablename }) => tablename)
  }
  return { url, db, tables, pendingMigrations }
}

t.test('migrations are applied in order, once', async (t) => {
  const { db, pendingMigrations } = await setup(t)
  const folder = t.testdir(first)
  t.strictSame(await pendingMigrations(folder), ['0001_tables', '0002_rows'])
  t.strictSame(await migrate(db, { folder }), { applied: ['0001_tables', '0002_rows'] })
  t.strictSame(await pendingMigrations(folder), [])
  t.strictSame(await migrate(db, { folder }), { applied: [] })
  const { rows } = await sql`select a.id as a, b.id as b from a, b`.execute(db)
  t.strictSame(rows, [{ a: 1, b: 2 }])
})

t.test('of processes that come at the same time one migrates and the others wait', async (t) => {
  const { url } = await setup(t)
  const folder = t.testdir({ ...first, '0003_slow.sql': 'select pg_sleep(0.2); create table c (id int);' })
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => migrateDatabase({ url, folder, log })))
  const applied = outcomes.map((outcome) => outcome.applied.length).sort()
  t.strictSame(applied, [0, 0, 0, 0, 0, 3])
})

t.test('where a request and the migrations wait for each other, the migrations give way', async (t) => {
  for (const [first, then] of [
    ['account', 'dirty_user'],
    ['dirty_user', 'account'],
  ]) {
    const { url, db } = await setup(t)
    await sql`create table account (id int); create table dirty_user (id int)`.execute(db)
    const folder = t.testdir({
      '0001_columns.sql': 'alter table dirty_user add column a int; alter table account add column a int',
    })
    const waits = async () => {
      const { rows } = await sql`
        select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
        db,
      )
      return rows.length > 0
    }
    const migrating = await db.transaction().execute(async (trx) => {
      await sql`insert into ${sql.table(first ?? '')} values (1)`.execute(trx)
      const migrating = migrateDatabase({ url, folder, log })
      await until('the migration waits', waits)
      await sql`insert into ${sql.table(then ?? '')} values (1)`.execute(trx)
      return { migrating }
    })
    t.strictSame(await migrating.migrating, { applied: ['0001_columns'] })
  }
})

t.test(
  'a role that may not create tables is told so, and one that may just read what is there is not',
  async (t) => {
    const { url, db } = await setup(t)
    const role = `reader_${process.pid}`
    const folder = t.testdir(first)
    await sql.raw(`create role ${role} login password 'reader'`).execute(db)
    t.teardown(async () => {
      await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(db)
    })
    const readerUrl = Object.assign(new URL(url), { username: role, password: 'reader' }).href
    const migrateAsReader = () => migrateDatabase({ url: readerUrl, folder, log })
    await t.rejects(migrateAsReader(), {
      name: 'MigrationError',
      message: `the database role "${role}" may not create tables in the database "${new URL(url).pathname.slice(1)}", which migrations need; let it own the database, or grant it create on the schema`,
    })
    await migrate(db, { folder })
    await sql.raw(`grant select on all tables in schema public to ${role}`).execute(db)
    t.strictSame(await migrateAsReader(), { applied: [] })
  },
)

t.test('a failing migration is named, and everything of the run is rolled back', async (t) => {
  const { db, tables, pendingMigrations } = await setup(t)
  const folder = t.testdir({
    ...first,
    '0003_wrong.sql': 'create table c (id int); insert into nowhere values (1);',
  })
  await t.rejects(migrate(db, { folder }), {
    name: 'MigrationError',
    message: 'migration 0003_wrong failed: relation "nowhere" does not exist',
    cause: { code: '42P01' },
  })
  t.strictSame(await tables(), [])
  t.strictSame(await pendingMigrations(folder), ['0001_tables', '0002_rows', '0003_wrong'])

  const mended = t.testdir({ ...first, '0003_wrong.sql': 'create table c (id int)' })
  t.equal((await migrate(db, { folder: mended })).applied.length, 3, 'the lock is free again')
})

t.test('a database that a newer version migrated serves this one too', async (t) => {
  const { db, tables } = await setup(t)
  await migrate(db, { folder: t.testdir({ ...first, '0004_newer.sql': 'create table d (id int)' }) })
  const folder = t.testdir(first)
  t.strictSame(await checkSchema(db, { folder }), { pending: [], breaking: [] })
  t.strictSame(await migrate(db, { folder }), { applied: [] })
  t.strictSame(await tables(), ['a', 'b', 'd', 'kysely_migration', 'kysely_migration_lock'])
})

t.test('code older than a breaking migration refuses to start', async (t) => {
  const { db } = await setup(t)
  const newer = t.testdir({ ...first, '0003_drop.breaking.sql': 'drop table b' })
  t.strictSame(await migrate(db, { folder: newer }), {
    applied: ['0001_tables', '0002_rows', '0003_drop.breaking'],
  })
  t.strictSame(await checkSchema(db, { folder: newer }), { pending: [], breaking: [] })
  const folder = t.testdir(first)
  t.strictSame(await checkSchema(db, { folder }), { pending: [], breaking: ['0003_drop.breaking'] })
  await t.rejects(migrate(db, { folder }), {
    name: 'MigrationError',
    message:
      'the database has migration 0003_drop.breaking, which this version does not know and cannot work with; run a version that has it',
  })
})

t.test('a migration that slips in before one that was applied is refused', async (t) => {
  const { db } = await setup(t)
  await migrate(db, { folder: t.testdir({ '0002_second.sql': 'select 1' }) })
  const folder = t.testdir({ '0001_late.sql': 'select 1', '0002_second.sql': 'select 1' })
  await t.rejects(migrate(db, { folder }), { message: /corrupted migrations.*0002_second/ })
})

t.test('file names', async (t) => {
  const { db } = await setup(t)
  const misnamed = t.testdir({ '1_short.sql': '' })
  await t.rejects(migrate(db, { folder: misnamed }), {
    name: 'MigrationError',
    message: `${join(misnamed, '1_short.sql')}: a migration must be named NNNN_name.sql or NNNN_name.breaking.sql, in lower case`,
  })
  await t.rejects(checkSchema(db, { folder: t.testdir({ '0001_a.sql': '', '0001_b.sql': '' }) }), {
    message: 'two migrations have the number 0001: 0001_a.sql and 0001_b.sql',
  })
  await t.rejects(migrate(db, { folder: join(misnamed, 'missing') }), { code: 'ENOENT' })
})

t.test('an unreachable server is an error, for the readiness probe too', async (t) => {
  const { db, close } = connect({ url: 'postgres://nobody@127.0.0.1:1/none', log })
  t.teardown(close)
  const folder = t.testdir(first)
  for (const attempt of [migrate, checkSchema]) {
    const error = await attempt(db, { folder }).then(
      () => undefined,
      (error: unknown) => error,
    )
    t.ok(isUnavailable(error), String(error))
  }
})

t.test('the project’s own migrations are what the test databases are made of', async (t) => {
  const { url } = await createDatabase(t)
  const { db, close } = connect({ url, log })
  t.teardown(close)
  const folder = join(import.meta.dirname, '../../migrations')
  t.strictSame(await checkSchema(db, { folder }), { pending: [], breaking: [] })
})
