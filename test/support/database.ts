import { connect, type DatabaseConnection } from '../../src/db/connect.ts'
import { databaseUrl, log, readTestRun, runner, withServer } from './test-run.ts'

type Teardown = { teardown(end: () => unknown): unknown }

export type TestDatabase = { url: string; drop(): Promise<void> }

let created = 0

/** A migrated database of its own, dropped at the end of `t` whoever is still connected. */
export async function createDatabase(t: Teardown): Promise<TestDatabase> {
  return create(t, 'migrated')
}

/** As `createDatabase`, with nothing in it. */
export async function createEmptyDatabase(t: Teardown): Promise<TestDatabase> {
  return create(t, 'empty')
}

/** A migrated database of its own with a pool of connections to it; both end with `t`. */
export async function openDatabase(t: Teardown): Promise<DatabaseConnection & { url: string }> {
  const { url } = await createDatabase(t)
  const connection = connect({ url, log })
  t.teardown(() => connection.close())
  return { ...connection, url }
}

async function create(t: Teardown, content: 'migrated' | 'empty'): Promise<TestDatabase> {
  const run = await readTestRun(runner)
  if (run?.url === undefined) {
    throw new Error('no test database is up: run the tests by tap, one file by "npx tap test/….test.ts"')
  }
  const server = run.url
  const name = `${run.prefix}${process.pid}_${++created}`
  const template = content === 'migrated' ? run.template : 'template0'
  await withServer(server, (client) =>
    client.query(`create database "${name}" template "${template}" strategy file_copy`),
  )
  const drop = () =>
    withServer(server, async (client) => {
      await client.query(`drop database if exists "${name}" with (force)`)
    })
  t.teardown(drop)
  return { url: databaseUrl(server, name), drop }
}
