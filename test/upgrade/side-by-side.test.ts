// An upgrade and a roll-back while requests flow: old and new processes work on one database for a while, and not one
// request fails. UPGRADE_FROM=REF upgrades from that commit's tree; UPGRADE_PRE_STOP=on takes each process out of the
// front before it is asked to stop, as the chart's preStop does.
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { callCommand } from '../support/command.ts'
import { until } from '../support/until.ts'
import { setUp } from './system.ts'
import { readDirectory, Traffic } from './traffic.ts'
import { errorsOf } from './version-process.ts'
import { NEW_VERSION_NUMBER, newVersion, oldVersion } from './versions.ts'

const EXPAND = `
alter table scim_user add column upgrade_note text default 'none';
create index scim_user_upgrade_note on scim_user (tenant_id, upgrade_note);
alter table dirty_user add column upgrade_note text default 'none';
alter table account add column upgrade_note text;
create index account_upgrade_note on account (tenant_id, upgrade_note);`

const old = await oldVersion(t)

t.test('not one request fails through an upgrade and a roll-back', async (t) => {
  const system = await setUp(t)
  const { scim, sandbox, accounts, startApi, startReconciler, stop, working } = system
  const next = await newVersion(t, old, { name: 'expand.sql', sql: EXPAND })
  const [oldApi, oldReconciler] = await Promise.all([
    startApi('old API', old),
    startReconciler('old reconciler', old),
  ])
  const traffic = new Traffic(scim)
  await traffic.start()
  await working(oldApi, oldReconciler)

  t.match(await system.run(next, 'migrate'), { status: 0, stdout: /applied \d{4}_expand\n$/, stderr: '' })
  const [newApi, newReconciler] = await Promise.all([
    startApi('new API', next),
    startReconciler('new reconciler', next),
    working(oldApi, oldReconciler),
  ])
  const description = await (await fetch(`${newApi.url}/openapi.json`)).json()
  t.match(description, { info: { version: NEW_VERSION_NUMBER } })
  await working(oldApi, oldReconciler, newApi, newReconciler)
  await Promise.all([stop(oldApi), stop(oldReconciler)])
  await working(newApi, newReconciler)

  if (old.startsOnNewerSchemas) {
    const [api, reconciler] = await Promise.all([
      startApi('old API again', old),
      startReconciler('old reconciler again', old),
    ])
    await working(api, reconciler, newApi, newReconciler)
    await Promise.all([stop(newApi), stop(newReconciler)])
    await working(api, reconciler)
  } else {
    const refused = await system.run(old, 'serve')
    t.match(refused, { status: 1, stderr: /the database has migration .*, which this version does not know/ })
  }

  await traffic.stop()
  await until(
    'every account is as the directory says',
    () => isDeepStrictEqual(accounts(), traffic.accounts()),
    () => ({ accounts: accounts(), expected: traffic.accounts() }),
  )
  t.comment(`${traffic.answered} requests, ${traffic.people.length} people`)
  t.strictSame(traffic.failures, [])
  t.strictSame(await readDirectory(scim), traffic.directory())
  t.strictSame(sandbox.overlappingWrites(), [])
  t.strictSame(system.processes.flatMap(errorsOf), [])
  const verified = await callCommand(['audit', 'verify'], { DATABASE_URL: system.databaseUrl })
  t.match(verified, { status: 0, stdout: /^default: whole/ })
})

t.test(
  'code older than a breaking migration refuses to start, and turns not ready where it runs',
  async (t) => {
    const { front, scim, run, startApi } = await setUp(t)
    const next = await newVersion(t, old, {
      name: 'narrow.breaking.sql',
      sql: 'create table upgrade_note ()',
    })
    const running = await startApi('old API', old)
    const [refused] = await Promise.all([
      startApi('new API', next).then(() => run(old, 'serve')),
      old.startsOnNewerSchemas && until('the old API is not ready', () => !front.isReady('old API')),
    ])
    t.match(refused, {
      status: 1,
      stderr: /the database has migration .*_narrow\.breaking, which this version/,
    })
    const probe = await fetch(`${running.url}/readyz`)
    const reason = /^the database was migrated for a newer version: \d{4}_narrow\.breaking$/
    if (old.startsOnNewerSchemas) t.match(await probe.json(), { status: 'not ready', reason })
    else t.equal(probe.status, 200)
    t.equal((await scim('GET', '/Users')).status, 200, 'the new version answers')
  },
)
