// Skipped where PgBouncer is not installed.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { soak } from './fault-soak.ts'
import { startOwnPostgres } from './own-postgres.ts'
import { findPgBouncer, startPgBouncer } from './pg-bouncer.ts'

t.setTimeout(3_600_000)

const program = await findPgBouncer()
const skip = program === undefined && 'PgBouncer is not installed'
const TAP = fileURLToPath(new URL('../../node_modules/.bin/tap', import.meta.url))

t.test('the flows by way of PgBouncer in transaction mode', { skip }, async (t) => {
  const postgres = await startOwnPostgres(t)
  const url = await startPgBouncer(t, program ?? '', postgres.url, 0)
  await runTests(t, url, 'test/e2e/flows.test.ts', 'test/reliability/postgres-away.test.ts')
})

/** Runs tests as `npm test` does, with every database behind that URL. */
async function runTests(t: Test, databaseUrl: string, ...files: string[]): Promise<void> {
  const outer = Object.entries(process.env).filter(([name]) => !/^(_?TAP|NODE_OPTIONS$)/.test(name))
  const env = { ...Object.fromEntries(outer), TEST_DATABASE_URL: databaseUrl }
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const run = promisify(execFile)(TAP, ['--reporter=tap', '--jobs=1', ...files], {
    env,
    cwd,
    maxBuffer: 2 ** 28,
  })
  const output = await run.catch((error: { stdout: string }) => error)
  const summary = /^# (\{ .*\})$/m.exec(output.stdout)?.[1] ?? 'no summary'
  t.comment(`${files.join(', ')}: ${summary}`)
  t.match(
    summary,
    /^\{ total: \d+, pass: \d+ \}$/,
    output.stdout
      .split('\n')
      .filter((line) => /not ok/.test(line))
      .join('\n'),
  )
}

t.test('everything is right after a soak by way of PgBouncer', { skip }, (t) =>
  soak(t, {
    users: 200,
    groups: 12,
    operations: 1000,
    clients: 16,
    faultShare: 0.2,
    crashes: 1,
    kills: 2,
    timeoutMs: 500,
    pace: 40,
    lingerMs: 5000,
    patient: false,
    gateway: (databaseUrl) => startPgBouncer(t, program ?? '', databaseUrl, 600),
  }),
)
