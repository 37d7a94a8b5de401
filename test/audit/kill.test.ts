// Killed around the commit of a change and of what became of a delivery: what was committed is told, and nothing else.
import pg from 'pg'
import t from 'tap'
import { verifyTrail } from '../../src/audit/verify.ts'
import { connect } from '../../src/db/connect.ts'
import { startKillRun } from '../support/kill-run.ts'
import { addMembers, groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { log } from '../support/test-run.ts'

/** Few of the boundaries of a change are before this one, and few of its delivery's after the last. */
const BOUNDARIES = [13, 17, 19, 21, 26]

t.setTimeout(300_000)

t.test('an entry is there if and only if its change is, whenever the service is killed', async (t) => {
  const run = await startKillRun(t, t.testdir())
  const client = new pg.Client({ connectionString: run.databaseUrl, application_name: 'kill-run' })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  const group = (await run.scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  for (const [index, boundary] of BOUNDARIES.entries()) {
    await run.arm(boundary)
    await run.scim('POST', '/Users', userBody(`user-${index}`))
    const filter = encodeURIComponent(`userName eq "user-${index}@example.com"`)
    const [user] = (await run.scim('GET', `/Users?filter=${filter}`)).body.Resources
    await run.scim('PATCH', `/Groups/${group}`, addMembers(user.id))
    const change = patchBody({ op: 'replace', path: 'displayName', value: `name ${index}` })
    await run.scim('PATCH', `/Users/${user.id}`, change)
    await run.converge()
    await run.arm(undefined)
  }
  t.ok(run.deaths >= BOUNDARIES.length / 2, `it was killed ${run.deaths} times`)

  // A version counts the changes of a resource.
  const { rows: resources } = await client.query(`
    select id, version::integer,
      (select count(*)::integer from audit_entry where resource_id = id::text and operation like '%.create' and resource_type <> 'Account') as created,
      (select count(*)::integer from audit_entry where resource_id = id::text and operation in ('user.change', 'group.change')) as changed
    from (select id, version from scim_user union all select id, version from scim_group) as resource`)
  t.equal(resources.length, BOUNDARIES.length + 1)
  for (const { id, version, created, changed } of resources) {
    t.same({ id, created, changed }, { id, created: 1, changed: version - 1 })
  }
  // Every account is as the last entry about it says.
  const { rows: accounts } = await client.query(`
    select account.user_id, observed_roles = (
      select wanted_roles from audit_entry
      where resource_id = account.user_id::text and resource_type = 'Account' and result = 'ok' and wanted_roles is not null
      order by sequence desc limit 1
    ) as told from account`)
  t.equal(accounts.length, BOUNDARIES.length)
  t.same(
    accounts.filter(({ told }) => told !== true),
    [],
  )
  const { rows: untold } = await client.query(`
    select user_id from account where not exists (
      select from audit_entry where resource_id = account.user_id::text
        and operation in ('account.create', 'account.link') and result = 'ok')`)
  t.same(untold, [], 'it is told of each how it came to be')

  const { db, close } = connect({ url: run.databaseUrl, log, poolMax: 1 })
  t.teardown(close)
  t.match(await verifyTrail(db, 1), { kind: 'whole' })
})
