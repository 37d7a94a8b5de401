import t from 'tap'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import {
  account,
  accountsIn,
  callsDuring,
  type Dialect,
  dialects,
  emailOf,
  entra,
  metric,
  PLACEHOLDER,
  step,
} from './setup.ts'

const roles = [PLACEHOLDER, 'Agents', 'Supervisors', 'By hand']

function addRoleByHand({ sandbox }: TestService, name: string): void {
  const { id = '', roles = [] } = sandbox.state.userByEmail(emailOf(name)) ?? {}
  sandbox.state.editUser(id, { roles: [...roles, 'By hand'] })
}

t.test('ON_DEACTIVATE=ignore, the default: the account stays usable, and is counted', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'bob')
  await service.settle()
  t.equal(await metric(service, 'inactive_users_with_access'), 0)
  const calls = await callsDuring(service, () =>
    step(t, service, 'no effect', () => actor.active('ann', false)),
  )
  t.strictSame(calls.writes, [])
  t.equal(await metric(service, 'inactive_users_with_access'), 1)
  await step(t, service, 'nor at a resync', () => service.resync())
  await step(t, service, 'nor on the way back', () => actor.active('ann', true))
  t.equal(await metric(service, 'inactive_users_with_access'), 0)
  await actor.active('bob', false)
  t.equal(await metric(service, 'inactive_users_with_access'), 1)
  await step(t, service, 'who lost the group has nothing to count', () => actor.remove('Agents', 'bob'), {
    bob: 'gone',
  })
  t.equal(await metric(service, 'inactive_users_with_access'), 0)
  const created = { cid: account('cid', [PLACEHOLDER]) }
  await step(t, service, 'created inactive', () => actor.createUser('cid', { active: false }), created)
})

for (const dialect of Object.keys(dialects) as Dialect[]) {
  t.test(`ON_DEACTIVATE=suspend, ${dialect}`, async (t) => {
    const service = await startTestService(t, { roles, env: { ON_DEACTIVATE: 'suspend' } })
    const actor = entra(t, service, dialect)
    for (const group of ['Agents', 'Supervisors']) await actor.createGroup(group)
    for (const name of ['ann', 'bob']) await actor.createUser(name)
    await actor.add('Agents', 'ann')
    await service.settle()
    const off = (name: string, roles: string[]) => account(name, roles, { enabled: false })

    await step(t, service, 'disabled, with its roles', () => actor.active('ann', false), {
      ann: off('ann', ['Agents']),
    })
    t.equal(await metric(service, 'inactive_users_with_access'), 0)
    await step(t, service, 'a further role while disabled', () => actor.add('Supervisors', 'ann'), {
      ann: off('ann', ['Agents', 'Supervisors']),
    })
    await step(t, service, 'enabled', () => actor.active('ann', true), {
      ann: account('ann', ['Agents', 'Supervisors']),
    })
    await step(t, service, 'off and on between two reconciliations', async () => {
      await actor.active('ann', false)
      await actor.active('ann', true)
    })
    await step(t, service, 'awaiting, too', () => actor.active('bob', false), {
      bob: off('bob', [PLACEHOLDER]),
    })
    await step(t, service, 'back', () => actor.active('bob', true), { bob: account('bob', [PLACEHOLDER]) })
    await step(t, service, 'off, then out of every group', () => actor.active('ann', false), {
      ann: off('ann', ['Agents', 'Supervisors']),
    })
    await step(t, service, 'one', () => actor.remove('Agents', 'ann'), { ann: off('ann', ['Supervisors']) })
    await step(t, service, 'the other', () => actor.deleteGroup('Supervisors'), { ann: 'gone' })
    await step(t, service, 'reactivated', () => actor.active('ann', true), {
      ann: account('ann', [PLACEHOLDER]),
    })
    await step(t, service, 'created inactive', () => actor.createUser('cid', { active: false }), {
      cid: off('cid', [PLACEHOLDER]),
    })
    service.sandbox.state.editUser(service.sandbox.state.userByEmail(emailOf('cid'))?.id ?? '', {
      enabled: true,
    })
    await step(t, service, 'enabled by hand, put back', () => service.resync(), {
      cid: off('cid', [PLACEHOLDER]),
    })
  })
}

t.test('ON_DEACTIVATE=suspend reaches who was deactivated before it was set', async (t) => {
  const before = await startTestService(t, { roles })
  const actor = entra(t, before)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob', 'cid']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'cid')
  for (const name of ['ann', 'bob']) await actor.active(name, false)
  await before.settle()
  t.equal(await metric(before, 'inactive_users_with_access'), 2)

  const suspend = (env: object) =>
    startTestService(t, { beside: before, env: { ON_DEACTIVATE: 'suspend', ...env } })
  const answering = await suspend({})
  t.equal(await metric(answering, 'inactive_users_with_access'), 2, 'counted until it is done')
  const reconciling = await suspend({ RECONCILE: 'on' })
  await until('nobody who is inactive has access', async () => {
    return (await metric(reconciling, 'inactive_users_with_access')) === 0
  })
  const enabled = before.sandbox.state.users().map(({ email, enabled }) => [email, enabled])
  t.strictSame(Object.fromEntries(enabled), {
    [emailOf('ann')]: false,
    [emailOf('bob')]: false,
    [emailOf('cid')]: true,
  })
  await reconciling.running.stop()
  const again = await suspend({ RECONCILE: 'on' })
  t.equal(await metric(again, 'reconcile_pending'), 0, 'a further start marks nobody')
})

t.test('ON_USER_DELETE=delete, the default: the account goes, foreign roles or not', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob', 'cid']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'bob')
  await service.settle()
  for (const name of ['bob', 'cid']) addRoleByHand(service, name)
  await step(t, service, 'only granted roles', () => actor.deleteUser('ann'), { ann: 'gone' })
  await step(t, service, 'granted and foreign', () => actor.deleteUser('bob'), { bob: 'gone' })
  await step(t, service, 'foreign beside the placeholder', () => actor.deleteUser('cid'), { cid: 'gone' })
})

t.test('ON_USER_DELETE=release: an account with foreign roles stays, with only those', async (t) => {
  const service = await startTestService(t, { roles, env: { ON_USER_DELETE: 'release' } })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob', 'cid', 'dot']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'bob')
  await service.settle()
  for (const name of ['bob', 'cid']) addRoleByHand(service, name)
  await step(t, service, 'only granted roles', () => actor.deleteUser('ann'), { ann: 'gone' })
  await step(t, service, 'only the placeholder', () => actor.deleteUser('dot'), { dot: 'gone' })
  for (const name of ['bob', 'cid']) {
    await actor.deleteUser(name)
    await service.settle()
    t.strictSame(service.accounts()[emailOf(name)], ['By hand'], name)
    t.equal(accountsIn(service)[emailOf(name)]?.enabled, true, name)
  }
  await step(t, service, 'a resync leaves it alone', () => service.resync())

  await actor.createUser('bob', { externalId: 'entra-another-bob' })
  await service.settle()
  await service.retry()
  t.strictSame(service.accounts()[emailOf('bob')], ['By hand'], 'a released account does not stop a new user')
})
