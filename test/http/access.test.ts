import t from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import {
  addMembers,
  ERROR_SCHEMA,
  groupBody,
  patchBody,
  scimClient,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { SCIM_TOKEN, startTestService, type TestService } from '../support/service.ts'

t.test('without a valid bearer token nothing is answered', async (t) => {
  const { url } = await startTestService(t)
  const attempts: Record<string, string | undefined> = {
    none: undefined,
    'another scheme': `Basic ${Buffer.from(`x:${SCIM_TOKEN}`).toString('base64')}`,
    'the scheme alone': 'Bearer',
    'an empty token': 'Bearer ',
    'a wrong token': `Bearer ${SCIM_TOKEN}x`,
    'a token of ours that never was': `Bearer scim_0123456789abcdef_${'x'.repeat(43)}`,
    undefined: 'Bearer undefined',
  }
  const paths = ['/Users', '/Users/x', '/Groups', '/Schemas', '/ServiceProviderConfig', '/Nothing', '/Me', '']
  for (const [name, authorization] of Object.entries(attempts)) {
    for (const path of paths) {
      const response = await fetch(`${url}/scim/v2${path}`, {
        headers: authorization ? { authorization } : {},
      })
      t.equal(response.status, 401, `${name}: ${path}`)
      t.match(response.headers.get('www-authenticate'), /^Bearer realm="scim"/)
      t.equal(response.headers.get('content-type'), 'application/scim+json')
      t.match(await response.json(), { schemas: [ERROR_SCHEMA], status: '401' })
    }
  }
  const metrics = await (await fetch(`${url}/metrics`)).text()
  t.match(metrics, /scim_bridge_auth_failures_total\{reason="missing"\} 8/)
  t.match(metrics, /scim_bridge_auth_failures_total\{reason="unknown"\} 8/)
})

t.test('the scheme is compared without case', async (t) => {
  const { url } = await startTestService(t)
  const answer = await fetch(`${url}/scim/v2/Users`, { headers: { authorization: `bearer ${SCIM_TOKEN}` } })
  t.equal(answer.status, 200)
})

t.test('tenants neither see nor touch each other', async (t) => {
  const service = await startTestService(t)
  const acme = await tenantOf(service, 'acme')
  const { scim } = service
  const ann = await scim('POST', '/Users', userBody('ann'))
  const group = await scim('POST', '/Groups', groupBody('Agents'))
  await scim('PATCH', `/Groups/${group.body.id}`, addMembers(ann.body.id))
  const before = [await scim('GET', `/Users/${ann.body.id}`), await scim('GET', `/Groups/${group.body.id}`)]

  t.equal((await acme('GET', '/Users')).body.totalResults, 0)
  t.equal((await acme('GET', '/Groups')).body.totalResults, 0)
  t.equal((await acme('GET', `/Users?filter=id eq "${ann.body.id}"`)).body.totalResults, 0)
  for (const path of [`/Users/${ann.body.id}`, `/Groups/${group.body.id}`]) {
    const body = path.startsWith('/Users') ? userBody('ann') : groupBody('Agents')
    t.equal((await acme('GET', path)).status, 404)
    t.equal((await acme('PUT', path, body)).status, 404)
    t.equal(
      (await acme('PATCH', path, patchBody({ op: 'replace', path: 'externalId', value: 'x' }))).status,
      404,
    )
    t.equal((await acme('DELETE', path)).status, 404)
  }
  t.equal((await acme('PATCH', `/Users/${ann.body.id}`, setActive(false))).status, 404)

  const theirs = await acme('POST', '/Groups', groupBody('Agents'))
  t.equal(theirs.status, 201, 'names are taken within a tenant only')
  for (const member of [ann.body.id, 'ann@example.com']) {
    const refused = await acme('PATCH', `/Groups/${theirs.body.id}`, addMembers(member))
    t.match(refused, { status: 400, body: { scimType: 'invalidValue' } }, 'members are of the tenant')
  }
  t.equal((await acme('POST', '/Users', userBody('ann', { externalId: 'other' }))).status, 201)

  const after = [await scim('GET', `/Users/${ann.body.id}`), await scim('GET', `/Groups/${group.body.id}`)]
  t.same(
    after.map(({ body }) => body),
    before.map(({ body }) => body),
  )
})

t.test('an account of one tenant is never adopted by another', async (t) => {
  const service = await startTestService(t)
  const acme = await tenantOf(service, 'acme')
  await service.scim('POST', '/Users', userBody('ann'))
  await service.settle()
  await acme('POST', '/Users', userBody('ann', { externalId: 'of-acme' }))
  await service.settle()
  t.match(service.sandbox.state.users(), [{ email: 'ann@example.com', externalId: 'entra-ann' }])
  const { rows } = await service.database.pool.query('select failure from dirty_user')
  t.same(rows, [{ failure: 'account_linked_elsewhere' }])
})

async function tenantOf(service: TestService, name: string) {
  await createTenant(service.database.db, name)
  const issued = await issueToken(service.database.db, name, 'test', undefined)
  return scimClient(service.url, issued?.token ?? '')
}
