import t from 'tap'
import { emailOf, metric, PLACEHOLDER, reasons } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'
import { ENCRYPTION_KEY, rolesIn, twoTenants, writesTo } from './setup.ts'

const ann = emailOf('ann')

t.test('each tenant is written to its own Campaign Manager, and to no other', async (t) => {
  const { service, own, here, there } = await twoTenants(t)
  await here.createGroup('Agents')
  await there.createGroup('Analyst')
  for (const actor of [here, there]) await actor.createUser('ann')
  await here.add('Agents', 'ann')
  await there.add('Analyst', 'ann')
  await service.settle()
  t.strictSame(service.accounts(), { [ann]: ['Agents'] })
  t.strictSame(rolesIn(own.state), { [ann]: ['Analyst'] }, 'the same address, each with its own')
  t.strictSame(await reasons(service), [], 'neither waits for the other')

  // Both count their accounts from the same number, as any two may.
  const { rows } = await service.database.pool.query(
    'select campaign_manager_id, endpoint from account order by tenant_id',
  )
  t.match(rows, [{ endpoint: '' }, { endpoint: own.url }])

  own.state.resetRequests()
  await here.remove('Agents', 'ann')
  await service.settle()
  t.strictSame(service.accounts(), {})
  t.strictSame(writesTo(own.state), [])
  t.strictSame(rolesIn(own.state), { [ann]: ['Analyst'] })

  service.sandbox.state.resetRequests()
  await there.deleteUser('ann')
  await service.settle()
  t.strictSame(rolesIn(own.state), {})
  t.strictSame(writesTo(service.sandbox.state), [])
})

t.test('one id may name an account in each of two Campaign Managers', async (t) => {
  const { service, own, here, there } = await twoTenants(t)
  for (const actor of [here, there]) await actor.createUser('ann')
  await service.settle()
  const { pool } = service.database
  const sameId = service.sandbox.state.userByEmail(ann)?.id
  const otherId = own.state.userByEmail(ann)?.id ?? ''
  // As if both had counted from the same number.
  const { rowCount } = await pool.query('update account set campaign_manager_id = $1', [sameId])
  t.equal(rowCount, 2)
  await t.rejects(pool.query(`update account set endpoint = ''`), { code: '23505' }, 'but never twice in one')
  await pool.query('update account set campaign_manager_id = $1 where endpoint = $2', [otherId, own.url])
  await here.deleteUser('ann')
  await service.settle()
  t.strictSame(service.accounts(), {})
  t.strictSame(rolesIn(own.state), { [ann]: [PLACEHOLDER] })
})

for (const [message, fault] of Object.entries({
  'answers 503': { kind: 'error', status: 503 },
  'refuses the key': { kind: 'unauthorized' },
} as const)) {
  t.test(`while one Campaign Manager ${message}, the other tenant is served`, async (t) => {
    const { service, own, here, there } = await twoTenants(t)
    const people = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gil']
    own.state.faults.set({ ...fault, method: 'GET' }, { ...fault, method: 'POST' })
    for (const name of people) await there.createUser(name)
    await service.settle()
    t.equal(await metric(service, 'campaign_manager_circuit_open'), 1)
    t.equal(
      await metric(service, 'campaign_manager_credentials_refused'),
      fault.kind === 'unauthorized' ? 1 : 0,
    )

    const asked = own.state.requests.length
    await here.createGroup('Agents')
    for (const name of people) await here.createUser(name)
    await here.add('Agents', ...people)
    await service.settle()
    t.strictSame(service.accounts(), Object.fromEntries(people.map((name) => [emailOf(name), ['Agents']])))
    // But for single probes, should the machine be slow.
    t.ok(
      own.state.requests.length - asked < people.length,
      'and the one that is down is left alone meanwhile',
    )
    t.equal(
      await metric(service, 'campaign_manager_circuit_open'),
      1,
      'what others achieve does not close it',
    )

    own.state.faults.clear()
    // A fresh process has heard of nothing yet.
    const fresh = await startTestService(t, { beside: service, env: { ENCRYPTION_KEY } })
    await fresh.retry()
    t.strictSame(
      rolesIn(own.state),
      Object.fromEntries(people.map((name) => [emailOf(name), [PLACEHOLDER]])),
      'nothing was lost',
    )
  })
}

t.test('a group is checked against the roles and policies of its own tenant', async (t) => {
  const { own, here, there, tenant, thereScim, service } = await twoTenants(t)
  own.state.addRole('Only there')
  await there.createGroup('Only there')
  const refused = await service.scim('POST', '/Groups', {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
    displayName: 'Only there',
  })
  t.match(refused, { status: 400, body: { scimType: 'invalidValue' } })
  t.match(await tenant('settings', 'other', '--protected-roles', 'Agents, Analyst'), { status: 0 })
  await here.createGroup('Agents')
  const body = { schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName: 'Agents' }
  t.match(await thereScim('POST', '/Groups', body), { status: 400, body: { detail: /is protected/ } })
  const bulk = {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
    Operations: [{ method: 'POST', path: '/Groups', bulkId: 'a', data: { ...body, displayName: 'Analyst' } }],
  }
  t.match((await thereScim('POST', '/Bulk', bulk)).body.Operations, [{ status: '400' }])
  t.match((await service.scim('POST', '/Bulk', bulk)).body.Operations, [{ status: '201' }])
})
