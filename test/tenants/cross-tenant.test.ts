import t from 'tap'
import { emailOf } from '../e2e/setup.ts'
import { addMembers, groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { rolesIn, twoTenants } from './setup.ts'

const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const SEARCH = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'

// CVE-2026-92539: a credential of one tenant read, changed and deleted what was another's by its id.
t.test('an id of another tenant is as one that does not exist, whatever is asked of it', async (t) => {
  const { service, own, here, there, thereScim } = await twoTenants(t)
  await there.createGroup('Agents')
  await there.createUser('ann')
  await there.add('Agents', 'ann')
  await here.createUser('bob')
  await here.createGroup('Analyst')
  await service.settle()
  const [user, group] = [there.idOf('ann'), there.idOf('Agents')]
  const theirs = async () => {
    const { rows } = await service.database.pool.query(
      `select row_to_json(scim_user) as user, row_to_json(account) as account, row_to_json(scim_group) as group,
              (select count(*) from dirty_user) as dirty
       from scim_user join account using (tenant_id) join scim_group using (tenant_id)
       where scim_user.id = $1`,
      [user],
    )
    return rows
  }
  const before = await theirs()
  t.equal(before.length, 1)

  const rename = patchBody({ op: 'Replace', path: 'displayName', value: 'taken' })
  const attempts: [method: string, path: string, body?: object][] = [
    ['GET', `/Users/${user}`],
    ['PUT', `/Users/${user}`, userBody('taken')],
    ['PATCH', `/Users/${user}`, rename],
    ['DELETE', `/Users/${user}`],
    ['GET', `/Groups/${group}`],
    ['PUT', `/Groups/${group}`, groupBody('Supervisors')],
    ['PATCH', `/Groups/${group}`, rename],
    ['PATCH', `/Groups/${group}`, addMembers(here.idOf('bob'))],
    ['DELETE', `/Groups/${group}`],
  ]
  for (const [method, path, body] of attempts) {
    const answer = await service.scim(method, path, body)
    t.equal(answer.status, 404, `${method} ${path}`)
    const unknown = path.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000')
    const nobody = await service.scim(method, unknown, body)
    const said = (detail: string, id: string) => detail.replace(id, 'ID').replace(/ \[request .*$/, '')
    t.equal(
      said(answer.body.detail, path.split('/').at(-1) ?? ''),
      said(nobody.body.detail, unknown.split('/').at(-1) ?? ''),
      'and in the same words',
    )
  }
  const operations = attempts
    .filter(([method]) => method !== 'GET')
    .map(([method, path, data]) => ({ method, path, ...(data && { data }) }))
  const bulk = await service.scim('POST', '/Bulk', { schemas: [BULK], Operations: operations })
  t.strictSame(
    bulk.body.Operations.map(({ status }: { status: string }) => status),
    operations.map(() => '404'),
  )
  // Members of one's own group cannot be somebody else's people, by whatever name.
  for (const value of [user, 'ann@login.example.com', emailOf('ann')]) {
    const path = `/Groups/${here.idOf('Analyst')}`
    t.match(await service.scim('PATCH', path, addMembers(value)), {
      status: 400,
      body: { scimType: 'invalidValue' },
    })
  }
  for (const filter of [
    `id eq "${user}"`,
    'userName eq "ann@login.example.com"',
    'externalId eq "entra-ann"',
  ]) {
    t.equal(
      (await service.scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)).body.totalResults,
      0,
      filter,
    )
    const search = await service.scim('POST', '/.search', { schemas: [SEARCH], filter })
    t.equal(search.body.totalResults, 0, `search ${filter}`)
  }
  t.equal((await service.scim('GET', `/Groups?filter=members+eq+%22${user}%22`)).body.totalResults, 0)

  t.strictSame(await theirs(), before, 'nothing of it has changed')
  t.equal((await thereScim('GET', `/Users/${user}`)).body.displayName, 'ann')
  await service.settle()
  t.strictSame(rolesIn(own.state), { [emailOf('ann')]: ['Agents'] })
})

// CVE-2025-41115: an external id that was a number became the internal id of another user.
t.test('an external id never names anybody but by itself', async (t) => {
  const { service, own, here, there, thereScim } = await twoTenants(t)
  await here.createUser('ann')
  await there.createUser('ann')
  await service.settle()
  const accountId = own.state.userByEmail(emailOf('ann'))?.id ?? ''
  const strange = ['1', '0', '-1', '2147483648', here.idOf('ann'), there.idOf('ann'), accountId]
  const before = (await thereScim('GET', `/Users/${there.idOf('ann')}`)).body
  const ids: string[] = []
  for (const [index, externalId] of strange.entries()) {
    const name = `person${index}`
    const created = await thereScim('POST', '/Users', userBody(name, { externalId }))
    t.equal(created.status, 201, externalId)
    ids.push(created.body.id)
    t.match(created.body.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'ids are made here')
    t.not(created.body.id, externalId)
    const found = await thereScim('GET', `/Users?filter=externalId+eq+%22${externalId}%22`)
    t.strictSame(
      found.body.Resources.map(({ id }: { id: string }) => id),
      [created.body.id],
    )
    if (!strange.slice(4, 6).includes(externalId)) {
      t.equal((await thereScim('GET', `/Users/${externalId}`)).status, 404, 'and is no id')
    }
  }
  t.equal(new Set(ids).size, strange.length)
  await service.settle()
  t.strictSame((await thereScim('GET', `/Users/${there.idOf('ann')}`)).body, before)
  t.strictSame(own.state.userByEmail(emailOf('ann'))?.id, accountId)
  t.equal(own.state.users().length, strange.length + 1, 'everybody has an account of their own')
  for (const id of ids) t.equal((await thereScim('DELETE', `/Users/${id}`)).status, 204)
  await service.settle()
  t.strictSame(Object.keys(rolesIn(own.state)), [emailOf('ann')], 'and takes along nobody else’s')
  t.strictSame(Object.keys(service.accounts()), [emailOf('ann')])
})
