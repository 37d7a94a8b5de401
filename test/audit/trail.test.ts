// What the trail tells of SCIM requests, and of what it does not.
import { sql } from 'kysely'
import t from 'tap'
import { recordAudit } from '../../src/audit/record.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { openDatabase } from '../support/database.ts'
import {
  addMembers,
  groupBody,
  PATCH_SCHEMA,
  patchBody,
  removeMembers,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { AUTHOR, checkWhole, entries, TENANT, tell, told } from './setup.ts'

t.test('every accepted change is one entry: who, with which request, what', async (t) => {
  const { scim, database } = await startTestService(t)
  const { db } = database
  const ann = (await scim('POST', '/Users', userBody('ann'), { 'x-request-id': 'request-of-ann' })).body.id
  const bob = (await scim('POST', '/Users', userBody('bob'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor', { members: [{ value: bob }] })))
    .body.id
  await scim(
    'PATCH',
    `/Users/${ann}`,
    patchBody(
      { op: 'Replace', path: 'name.givenName', value: 'Anna' },
      { op: 'Replace', path: 'emails[type eq "work"].value', value: 'anna@example.com' },
      {
        op: 'Add',
        path: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department',
        value: 'Sales',
      },
    ),
  )
  await scim('PATCH', `/Users/${ann}`, setActive(false))
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await scim('PATCH', `/Groups/${group}`, removeMembers(ann, bob))
  await scim('PUT', `/Groups/${group}`, groupBody('Campaign Viewer', { members: [{ value: ann }] }))
  await scim('DELETE', `/Users/${ann}`)
  await scim('DELETE', `/Groups/${group}`)

  const all = await entries(db)
  t.same(await told(db), [
    'user.create',
    'user.create',
    'group.create',
    'user.change',
    'user.change',
    'group.change',
    'group.change',
    'group.change',
    'user.delete',
    'group.delete',
  ])
  const [created, , newGroup, changed, deactivated, joined, left, replaced, deleted, groupGone] = all
  t.match(created, {
    sequence: '1',
    actor: 'SCIM_TOKEN',
    request_id: 'request-of-ann',
    resource_type: 'User',
    resource_id: ann,
    result: 'ok',
  })
  t.same(created?.attributes.sort(), [
    'active',
    'displayName',
    'emails',
    'externalId',
    'name.familyName',
    'name.formatted',
    'name.givenName',
    'userName',
  ])
  t.match(newGroup?.detail, { role: 'Campaign Editor', joined: { count: 1, ids: [bob] } })
  t.same(changed?.attributes.sort(), [
    'emails',
    'name.givenName',
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department',
  ])
  t.match(deactivated, { attributes: ['active'], detail: { active: false } })
  t.match(joined, {
    resource_id: group,
    attributes: ['members'],
    detail: { joined: { count: 1, ids: [ann] } },
  })
  left?.detail.left.ids.sort()
  t.match(left?.detail, { left: { count: 2, ids: [ann, bob].sort() } })
  t.match(replaced, {
    attributes: ['externalId', 'displayName', 'members'],
    detail: { role: 'Campaign Viewer', formerRole: 'Campaign Editor', joined: { ids: [ann] } },
  })
  t.match(deleted?.detail, { groups: { count: 1, ids: [group] } })
  t.match(groupGone?.detail, { role: 'Campaign Viewer' })
  t.ok(
    all.every((entry, index) => index === 0 || entry.at >= (all[index - 1]?.at ?? 0)),
    'in the order of time',
  )
  await checkWhole(t, db)
})

t.test('what changes nothing or is refused is not in it', async (t) => {
  const { url, scim, database } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  const before = await told(database.db)
  t.equal(before.length, 3)
  const requests: [status: number, ...request: Parameters<typeof scim>][] = [
    [200, 'PATCH', `/Users/${ann}`, setActive(true)],
    [200, 'PUT', `/Users/${ann}`, userBody('ann')],
    [204, 'PATCH', `/Groups/${group}`, addMembers(ann)],
    [409, 'POST', '/Users', userBody('ann')],
    [409, 'POST', '/Groups', groupBody('Campaign Editor')],
    [400, 'POST', '/Groups', groupBody('No Such Role')],
    [400, 'POST', '/Users', { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'] }],
    [404, 'DELETE', '/Users/3b8b1c5e-0000-4000-8000-000000000000'],
    [404, 'PATCH', '/Groups/3b8b1c5e-0000-4000-8000-000000000000', addMembers(ann)],
    [400, 'PATCH', `/Groups/${group}`, addMembers(ann, 'nobody@example.com')],
    [412, 'PATCH', `/Users/${ann}`, setActive(false), { 'if-match': 'W/"99"' }],
    [200, 'GET', `/Users/${ann}`],
  ]
  for (const [status, ...request] of requests) t.equal((await scim(...request)).status, status)
  const intruder = await fetch(`${url}/scim/v2/Users`, {
    method: 'POST',
    headers: { authorization: 'Bearer x' },
  })
  t.equal(intruder.status, 401)
  t.same(await told(database.db), before)
})

t.test('a bulk request is an entry for each operation, and a circle all or nothing', async (t) => {
  const { scim, database } = await startTestService(t)
  const bulk = (...Operations: object[]) =>
    scim(
      'POST',
      '/Bulk',
      { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations },
      { 'x-request-id': 'the-bulk' },
    )
  const manager = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
  const user = (name: string, of: string) => ({
    method: 'POST',
    path: '/Users',
    bulkId: name,
    data: userBody(name, { [manager]: { manager: { value: `bulkId:${of}` } } }),
  })
  const { body } = await bulk(
    user('ann', 'bob'),
    user('bob', 'ann'),
    { method: 'POST', path: '/Users', bulkId: 'eve', data: userBody('eve') },
    { method: 'POST', path: '/Users', bulkId: 'again', data: userBody('eve') },
  )
  t.same(
    body.Operations.map(({ status }: { status: string }) => status),
    ['201', '201', '201', '409'],
  )
  const all = await entries(database.db)
  t.same(await told(database.db), ['user.create', 'user.create', 'user.create'])
  t.ok(all.every(({ request_id }) => request_id === 'the-bulk'))
  await bulk(user('zoe', 'ann'), user('ann', 'zoe'))
  t.equal((await entries(database.db)).length, 3, 'one of a circle was taken, so none is told of')
  await checkWhole(t, database.db)
})

t.test('an entry is there if and only if its transaction committed', async (t) => {
  const { db } = await openDatabase(t)
  await tell(db)
  const failing = inTransaction(db, async (trx) => {
    recordAudit(trx, TENANT, AUTHOR, { operation: 'user.delete', resourceType: 'User' })
    throw new Error('the change failed')
  })
  await t.rejects(failing, { message: 'the change failed' })
  let attempts = 0
  await inTransaction(db, async (trx) => {
    recordAudit(trx, TENANT, AUTHOR, { operation: 'user.create', resourceType: 'User' })
    attempts += 1
    if (attempts === 1) await sql`do $$ begin raise serialization_failure; end $$`.execute(trx)
  })
  t.equal(attempts, 2)
  await inTransaction(db, async (trx) => {
    await inTransaction(trx, async (nested) =>
      recordAudit(nested, TENANT, AUTHOR, { operation: 'group.create', resourceType: 'Group' }),
    )
    recordAudit(trx, 2, AUTHOR, { operation: 'group.delete', resourceType: 'Group' })
    const written = await trx.selectFrom('audit_entry').select('sequence').execute()
    t.equal(written.length, 2, 'the head is not locked before the end')
  })
  t.same(await told(db), ['user.change', 'user.create', 'group.create'], 'once, and without gaps')
  t.equal((await entries(db, 2)).length, 1)
  await t.rejects(
    db
      .transaction()
      .execute(async (trx) =>
        recordAudit(trx, TENANT, AUTHOR, { operation: 'user.change', resourceType: 'User' }),
      ),
    { message: 'the transaction was not begun by inTransaction' },
    'nor can it be forgotten to be written',
  )
  await checkWhole(t, db)
})

t.test('what Postgres cannot keep does not break the chain', async (t) => {
  const { db } = await openDatabase(t)
  await tell(db, {
    resourceId: 'a\0b',
    wantedRoles: ['half \ud800', 'Ünïcödé "quoted"\n\u2028'],
    detail: { note: '\0\udfff', zero: 0 },
  })
  const [entry] = await entries(db)
  t.match(entry, {
    resource_id: 'ab',
    wanted_roles: ['half \ufffd', 'Ünïcödé "quoted"\n\u2028'],
    detail: { note: '\ufffd', zero: 0 },
  })
  await checkWhole(t, db)
})

t.test('a change of more members than an entry holds is one entry all the same', async (t) => {
  const { scim, database } = await startTestService(t)
  const { db } = database
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  await sql`
    with person as (select number, gen_random_uuid() as id from generate_series(1, 1500) as number),
      made as (insert into account (tenant_id, user_id, standing) select 1, id, 'awaiting' from person)
    insert into scim_user (tenant_id, id, attributes, search)
    select 1, id, resource, resource
    from person, lateral (select jsonb_build_object('userName', 'member-' || number) as resource) as made`.execute(
    db,
  )
  const { rows } = await sql<{ id: string }>`select id from scim_user`.execute(db)
  const ids = rows.map(({ id }) => id)
  t.equal((await scim('PATCH', `/Groups/${group}`, addMembers(...ids))).status, 204)
  t.equal((await scim('DELETE', `/Groups/${group}`)).status, 204)
  const [, joined, gone] = await entries(db)
  t.match(joined, { operation: 'group.change', detail: { joined: { count: 1500, ids: undefined } } })
  t.match(gone, { operation: 'group.delete', detail: { left: { count: 1500, ids: undefined } } })
  const { rows: subjects } = await sql<{ sequence: string; effect: string; count: string }>`
    select sequence, effect, count(*) from audit_subject group by 1, 2 order by 1`.execute(db)
  t.same(subjects, [
    { sequence: '2', effect: 'joined', count: '1500' },
    { sequence: '3', effect: 'left', count: '1500' },
  ])
  await checkWhole(t, db)
})

t.test('no address and no name is in an entry', async (t) => {
  const { scim, database, settle, sandbox } = await startTestService(t)
  const canary = 'canary-7f3a'
  const person = {
    userName: `${canary}@example.com`,
    displayName: canary,
    externalId: canary,
    name: { givenName: canary, familyName: canary },
    emails: [{ type: 'work', primary: true, value: `${canary}@example.com` }],
  }
  const id = (await scim('POST', '/Users', userBody('x', person))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(`${canary}@example.com`))
  await settle()
  const path = `emails[value eq "${canary}@example.com"].value`
  await scim('PATCH', `/Users/${id}`, patchBody({ op: 'replace', path, value: `${canary}.two@example.com` }))
  await scim('PATCH', `/Users/${id}`, {
    schemas: [PATCH_SCHEMA],
    Operations: [{ op: 'replace', value: { userName: `${canary}.new` } }],
  })
  sandbox.state.faults.set({ kind: 'status', status: 503, method: 'PUT', times: 1 } as never)
  await settle()
  await scim('DELETE', `/Users/${id}`)
  await settle()
  const { rows } = await sql`
    select 1 from audit_entry where audit_entry::text like ${`%${canary}%`}
    union all select 1 from audit_subject where audit_subject::text like ${`%${canary}%`}`.execute(
    database.db,
  )
  t.same(rows, [])
  const person_ = await sql<{ user_name: string }>`select user_name from audit_person`.execute(database.db)
  t.same(person_.rows, [{ user_name: `${canary}.new` }], 'the name is beside it')
  await checkWhole(t, database.db)
})
