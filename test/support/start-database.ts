// Run by tap before the tests: one server for all of them, with a migrated template that each test clones.
import { randomBytes } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { resetScript } from './reset-script.ts'
import {
  abandonedRuns,
  databaseUrl,
  endTestRun,
  log,
  type TestRun,
  withServer,
  writeTestRun,
} from './test-run.ts'

const migrations = join(import.meta.dirname, '../../migrations')
const prefix = `scim_test_${randomBytes(4).toString('hex')}_`
const run: TestRun = { prefix, template: `${prefix}template` }

for (const runner of await abandonedRuns()) await endTestRun(runner)

if (process.env.TEST_DATABASE_URL) {
  run.url = process.env.TEST_DATABASE_URL
} else {
  run.dataDir = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-test-'))
  // Known before it runs, so that the next run finds it should this one be killed now.
  await writeTestRun(run)
  const server = await startEmbeddedPostgres({
    dataDir: run.dataDir,
    log,
    durable: false,
    maxConnections: 300,
  })
  run.url = server.url
}
await writeTestRun(run)

await withServer(run.url, (client) => client.query(`create database "${run.template}"`))
const templateUrl = databaseUrl(run.url, run.template)
await migrateDatabase({ url: templateUrl, folder: migrations, log })
const reset = await withServer(templateUrl, resetScript)
await writeTestRun({ ...run, ...(reset !== undefined && { reset }) })
// A template somebody is connected to cannot be cloned.
await withServer(run.url, (client) =>
  client.query(`alter database "${run.template}" allow_connections false`),
)
