import t from 'tap'
import { emailOf, metric, PLACEHOLDER } from '../e2e/setup.ts'
import { groupBody, scimClient } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import {
  ENCRYPTION_KEY,
  OTHER_ENCRYPTION_KEY,
  OTHER_KEY,
  ownOptions,
  rolesIn,
  startOther,
  tenantCommand,
  twoTenants,
} from './setup.ts'

const ann = emailOf('ann')

for (const [message, env] of Object.entries({
  'with another ENCRYPTION_KEY': { ENCRYPTION_KEY: OTHER_ENCRYPTION_KEY },
  'without ENCRYPTION_KEY': { ENCRYPTION_KEY: '' },
})) {
  t.test(`${message} a tenant’s work waits, and goes nowhere else`, async (t) => {
    const { service, own, here, there, thereToken } = await twoTenants(t)
    const wrong = await startTestService(t, { beside: service, env })
    await there.createUser('ann')
    await here.createUser('bob')
    own.state.resetRequests()
    await wrong.settle()
    t.strictSame(own.state.requests, [])
    t.strictSame(service.accounts(), { [emailOf('bob')]: [PLACEHOLDER] }, 'the other tenant’s goes on')
    t.equal(await metric(wrong, 'tenants_unusable'), 1)
    t.ok((await metric(wrong, 'reconcile_pending')) > 0, 'and it shows as work that waits')
    const scim = scimClient(wrong.url, thereToken)
    const answer = await scim('POST', '/Groups', groupBody('No such role'))
    t.equal(answer.status, 201, 'groups are accepted and held, as while a Campaign Manager is away')

    await service.settle()
    t.equal(await metric(service, 'tenants_unusable'), 0)
    t.strictSame(rolesIn(own.state), { [ann]: [PLACEHOLDER] }, 'a process with the right one does the work')
    t.strictSame(service.accounts(), { [emailOf('bob')]: [PLACEHOLDER] })
  })
}

t.test('keys can be exchanged', async (t) => {
  const { service, own, there } = await twoTenants(t)
  const both = { ENCRYPTION_KEY: `${OTHER_ENCRYPTION_KEY}, ${ENCRYPTION_KEY}` }
  const onlyNew = { ENCRYPTION_KEY: OTHER_ENCRYPTION_KEY }
  t.match(await tenantCommand(service, onlyNew)('reencrypt'), {
    status: 1,
    stdout: '0 keys encrypted anew\n',
    stderr: /^tenant other: ENCRYPTION_KEY has no key with the id [0-9a-f]{16}/,
  })
  t.match(await tenantCommand(service, onlyNew)('settings', 'other'), {
    stdout: /set, and cannot be read here/,
  })
  t.match(await tenantCommand(service, both)('reencrypt'), { status: 0, stdout: '1 keys encrypted anew\n' })
  t.match(await tenantCommand(service, both)('reencrypt'), { status: 0, stdout: '0 keys encrypted anew\n' })
  await there.createUser('ann')
  const renewed = await startTestService(t, { beside: service, env: onlyNew })
  await renewed.settle()
  t.strictSame(rolesIn(own.state), { [ann]: [PLACEHOLDER] })
  t.match(await tenantCommand(service, onlyNew)('settings', 'other', '--json'), {
    stdout: /"campaignManagerKey": "set"/,
  })
})

t.test('the key of a Campaign Manager is changed while accounts are linked, without a restart', async (t) => {
  const { service, own, there, tenant } = await twoTenants(t)
  await there.createUser('ann')
  await service.settle()
  await there.createUser('bob')
  t.match(await tenant('settings', 'other', ...ownOptions(t, own.url, 'wrong-key')), { status: 0 })
  await service.settle()
  t.equal(await metric(service, 'campaign_manager_credentials_refused'), 1)
  t.match(await tenant('settings', 'other', ...ownOptions(t, own.url, OTHER_KEY)), { status: 0 })
  await service.retry()
  t.strictSame(
    Object.keys(rolesIn(own.state)),
    [ann, emailOf('bob')],
    'a new key does not wait for the old one’s breaker',
  )
  t.equal(await metric(service, 'campaign_manager_credentials_refused'), 0)
  t.equal(await metric(service, 'campaign_manager_circuit_open'), 0)
})

t.test('a key of one tenant is of no use in the row of another', async (t) => {
  const { service, own, tenant } = await twoTenants(t)
  const { pool } = service.database
  await tenant('create', 'thief')
  await pool.query(
    `update tenant set (campaign_manager_url, campaign_manager_key, campaign_manager_key_id) =
       (select campaign_manager_url, campaign_manager_key, campaign_manager_key_id from tenant where name = 'other')
     where name = 'thief'`,
  )
  t.match(await tenant('settings', 'thief'), { stdout: /belongs to another tenant/ })
  own.state.resetRequests()
  await service.settle()
  t.equal(await metric(service, 'tenants_unusable'), 1)
})

t.test('the key is stored encrypted, and shown to nobody', async (t) => {
  const { service, tenant } = await twoTenants(t)
  const { rows } = await service.database.pool.query('select row_to_json(tenant)::text as text from tenant')
  t.notMatch(rows.map(({ text }) => text).join(), OTHER_KEY)
  t.notMatch(rows.map(({ text }) => text).join(), Buffer.from(OTHER_KEY).toString('hex'))
  for (const args of [
    ['settings', 'other'],
    ['settings', 'other', '--json'],
    ['list', '--json'],
  ]) {
    const { status, stdout, stderr } = await tenant(...args)
    t.equal(status, 0)
    t.notMatch(stdout + stderr, OTHER_KEY)
  }
})

t.test('without ENCRYPTION_KEY no key can be stored', async (t) => {
  const service = await startTestService(t)
  const own = await startOther(t)
  const tenant = tenantCommand(service, { ENCRYPTION_KEY: '' })
  t.match(await tenant('settings', 'default', ...ownOptions(t, own.url)), {
    status: 2,
    stderr: /^ENCRYPTION_KEY: must be set/,
  })
})
