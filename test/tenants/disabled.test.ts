import t from 'tap'
import { emailOf, entra, metric } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'
import { rolesIn, tenantCommand, twoTenants, writesTo } from './setup.ts'

const ann = emailOf('ann')

t.test(
  'a disabled tenant is refused at once, and nothing more is written for it until it is enabled',
  async (t) => {
    const { service, own, here, there, thereScim, tenant } = await twoTenants(t)
    await there.createGroup('Agents')
    await there.createUser('ann')
    await there.add('Agents', 'ann')
    await service.settle()
    await there.remove('Agents', 'ann')

    t.match(await tenant('disable', 'other'), { status: 0, stdout: 'disabled tenant other\n' })
    for (const path of [
      '/Users',
      '/Groups',
      `/Users/${there.idOf('ann')}`,
      '/ServiceProviderConfig',
      '/Nothing',
    ]) {
      const answer = await thereScim('GET', path)
      t.equal(answer.status, 401, path)
      t.match(answer.headers.get('www-authenticate'), /^Bearer/)
    }
    t.equal(await metric(service, 'auth_failures_total{reason="disabled"}'), 5)
    own.state.resetRequests()
    await service.settle()
    await service.resync()
    t.strictSame(own.state.requests, [], 'its Campaign Manager is not asked anything')
    t.strictSame(rolesIn(own.state), { [ann]: ['Agents'] })
    t.equal(await metric(service, 'reconcile_pending'), 0, 'and what waits alarms nobody')
    t.equal(await metric(service, 'reconcile_oldest_removal_seconds'), 0)

    await here.createUser('bob')
    await service.settle()
    t.ok(service.accounts()[emailOf('bob')], 'others are served')

    t.match(await tenant('enable', 'other'), { status: 0, stdout: 'enabled tenant other\n' })
    t.equal((await thereScim('GET', '/Users')).status, 200)
    await service.settle()
    t.strictSame(rolesIn(own.state), {}, 'the removal that waited is made')
  },
)

t.test('SCIM_TOKEN is refused while the default tenant is disabled', async (t) => {
  const service = await startTestService(t)
  const tenant = tenantCommand(service)
  t.equal((await service.scim('GET', '/Users')).status, 200)
  await tenant('disable', 'default')
  t.equal((await service.scim('GET', '/Users')).status, 401)
  await tenant('enable', 'default')
  t.equal((await service.scim('GET', '/Users')).status, 200)
})

t.test('an attempt that is under way when its tenant is disabled may finish', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  const { state } = service.sandbox
  state.onRequest = async ({ method }) => {
    if (method === 'POST') await tenantCommand(service)('disable', 'default')
  }
  await actor.createUser('bob')
  await service.settle()
  t.ok(writesTo(state).length > 0)
  const { rows } = await service.database.pool.query('select lease from dirty_user where lease is not null')
  t.strictSame(rows, [], 'and leaves no claim behind')
})

t.test('commands that name no tenant fail', async (t) => {
  const tenant = tenantCommand(await startTestService(t))
  for (const word of ['disable', 'enable', 'settings']) {
    t.match(await tenant(word, 'nobody'), { status: 1, stderr: 'there is no tenant named nobody\n' })
  }
  t.match(await tenant('disable'), { status: 2 })
})
