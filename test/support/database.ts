import pg from 'pg'
import t from 'tap'
import { connect, type DatabaseConnection } from '../../src/db/connect.ts'
import { databaseUrl, log, readTestRun, runner, type TestRun } from './test-run.ts'

type Teardown = { teardown(end: () => unknown): unknown }

export type TestDatabase = { url: string; drop(): Promise<void> }
export type OpenTestDatabase = DatabaseConnection & { url: string }

const APPLICATION_NAME = 'test'

let created = 0
/** Reset, for the next test of this file: to clone a database and to connect to it takes longer than most tests. */
const unused: OpenTestDatabase[] = []
let opened: Promise<{ run: TestRun; server: pg.Pool }> | undefined

/** A migrated database of its own, dropped at the end of `t` whoever is still connected. */
export async function createDatabase(t: Teardown): Promise<TestDatabase> {
  return create(t, 'migrated')
}

/** As `createDatabase`, with nothing in it. */
export async function createEmptyDatabase(t: Teardown): Promise<TestDatabase> {
  return create(t, 'empty')
}

/** A migrated database of its own, until `t` ends, with a pool of connections to it. */
export async function openDatabase(test: Teardown): Promise<OpenTestDatabase> {
  const database = unused.pop() ?? (await openNew())
  test.teardown(async () => {
    const { run } = await useServer()
    if (run.reset === undefined) return
    await reset(database, run.reset)
    unused.push(database)
  })
  return database
}

async function openNew(): Promise<OpenTestDatabase> {
  const { url } = await create(t, 'migrated')
  const connection = connect({ url, log, applicationName: APPLICATION_NAME })
  t.teardown(() => connection.close())
  return { ...connection, url }
}

/** Ends whoever is still connected, and takes away whatever the test left. */
async function reset({ pool, url }: OpenTestDatabase, script: string): Promise<void> {
  const name = new URL(url).pathname.slice(1)
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name <> '${APPLICATION_NAME}'`,
  )
  await pool.query(`begin; alter database "${name}" reset all; ${script}; commit`)
}

async function create(test: Teardown, content: 'migrated' | 'empty'): Promise<TestDatabase> {
  const { run, server } = await useServer()
  const name = `${run.prefix}${process.pid}_${++created}`
  const template = content === 'migrated' ? run.template : 'template0'
  await server.query(`create database "${name}" template "${template}" strategy file_copy`)
  const drop = async () => {
    await server.query(`drop database if exists "${name}" with (force)`)
  }
  test.teardown(drop)
  return { url: databaseUrl(run.url ?? '', name), drop }
}

/** One connection for this process, in turns: the server takes longer to accept one than to answer most queries. */
function useServer(): Promise<{ run: TestRun; server: pg.Pool }> {
  opened ??= readTestRun(runner).then(async (run) => {
    if (run?.url === undefined) {
      throw new Error('no test database is up: run the tests by tap, one file by "npx tap test/….test.ts"')
    }
    const server = new pg.Pool({ connectionString: run.url, max: 1, idleTimeoutMillis: 0 })
    t.teardown(() => server.end())
    return { run, server }
  })
  return opened
}
