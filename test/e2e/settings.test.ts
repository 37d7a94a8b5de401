import t, { type Test } from 'tap'
import { GROUP_SCHEMA, groupBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import {
  account,
  dialects,
  emailOf,
  entra,
  isScimError,
  metric,
  PLACEHOLDER,
  reasons,
  step,
} from './setup.ts'

/** The role list is asked for each time, so that a role made by hand is seen at once. */
const fresh = { ROLE_CACHE_SECONDS: '0' }
const noRole = (name: string) => ({
  status: 400,
  scimType: 'invalidValue',
  detail: `no Campaign Manager role is named '${name}'; create it, or rename the group`,
})

t.test('PLACEHOLDER_ROLE names the role of new accounts', async (t) => {
  const service = await startTestService(t, {
    env: { PLACEHOLDER_ROLE: 'No access yet' },
    roles: ['Placeholder', 'Agents', 'No access yet'],
  })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  const create = () => actor.createUser('ann')
  await step(t, service, 'created', create, { ann: account('ann', ['No access yet']) })
  await step(t, service, 'replaced', () => actor.add('Agents', 'ann'), { ann: ['Agents'] })
  await step(t, service, 'gone', () => actor.remove('Agents', 'ann'), { ann: 'gone' })
})

t.test('while the placeholder is no role, new accounts wait, and the metrics say why', async (t) => {
  const service = await startTestService(t, { env: fresh, roles: ['Agents'] })
  const actor = entra(t, service)
  await step(t, service, 'no account', () => actor.createUser('ann'))
  t.match(await reasons(service), [/placeholder/i])
  t.equal(await metric(service, 'reconcile_pending'), 1)
  const metrics = await (await fetch(`${service.url}/metrics`)).text()
  t.match(metrics, /^scim_bridge_\w+\{.*placeholder.*\} [1-9]/im)
  service.sandbox.state.addRole(PLACEHOLDER)
  await step(t, service, 'now', () => service.retry(), { ann: account('ann', [PLACEHOLDER]) })
  t.strictSame(await reasons(service), [])
  t.equal(await metric(service, 'reconcile_pending'), 0)
})

t.test('UNKNOWN_ROLE=reject, the default', async (t) => {
  const service = await startTestService(t, { env: fresh, roles: [PLACEHOLDER, 'Agents', 'Analyst'] })

  await t.test('a group whose name is no role is refused', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Agents')
    await actor.createUser('ann')
    await actor.add('Agents', 'ann')
    await service.settle()
    const before = await actor.getGroup('Agents')
    const agents = `/Groups/${actor.idOf('Agents')}`
    for (const name of ['Nothing', "O'Neill", 'Agents ²']) {
      await step(t, service, name, async () => {
        isScimError(t, await service.scim('POST', '/Groups', groupBody(name)), noRole(name), 'POST')
        for (const { replace } of Object.values(dialects)) {
          const answer = await service.scim('PATCH', agents, replace('displayName', name))
          isScimError(t, answer, noRole(name), 'PATCH')
        }
        const members = [{ value: actor.idOf('ann') }]
        const put = { schemas: [GROUP_SCHEMA], displayName: name, members }
        isScimError(t, await service.scim('PUT', agents, put), noRole(name), 'PUT')
      })
    }
    t.strictSame(await actor.getGroup('Agents'), before, 'nothing was applied')
    t.strictSame(await actor.findGroup('Nothing'), [])
  })

  await t.test('and accepted once the role is there', async (t) => {
    const actor = entra(t, service)
    isScimError(t, await service.scim('POST', '/Groups', groupBody('Brand new')), noRole('Brand new'))
    service.sandbox.state.addRole('Brand new')
    await actor.createGroup('Brand new')
    await actor.createUser('bob')
    await actor.add('Brand new', 'bob')
    await service.settle()
    t.strictSame(service.accounts()[emailOf('bob')], ['Brand new'])
  })

  await t.test('while Campaign Manager cannot be asked, it is accepted and held', async (t) => {
    const actor = entra(t, service)
    await actor.createUser('cid')
    await service.settle()
    const { state } = service.sandbox
    state.faults.set({ kind: 'error', status: 503, route: 'roles' })
    await actor.createGroup('Not yet there')
    state.faults.clear()
    await waitsForItsRole(t, service, actor, 'Not yet there', 'cid')
  })

  await t.test('a rename, too', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Analyst')
    await actor.createUser('dot')
    await actor.createUser('eve')
    await actor.add('Analyst', 'dot')
    await service.settle()
    const { state } = service.sandbox
    state.faults.set({ kind: 'error', status: 503, route: 'roles' })
    await actor.rename('Analyst', 'Chief analyst')
    state.faults.clear()
    state.addRole('Chief analyst')
    await service.retry()
    t.strictSame(service.accounts()[emailOf('dot')], ['Chief analyst'])
  })
})

t.test('UNKNOWN_ROLE=hold', async (t) => {
  const service = await startTestService(t, {
    env: { ...fresh, UNKNOWN_ROLE: 'hold' },
    roles: [PLACEHOLDER, 'Agents', 'Analyst'],
  })

  await t.test('the group is accepted, its members wait', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Later')
    await actor.createUser('ann')
    await service.settle()
    await waitsForItsRole(t, service, actor, 'Later', 'ann')
  })

  await t.test("members' other roles are kept and brought up to date", async (t) => {
    const actor = entra(t, service)
    for (const group of ['Agents', 'Analyst', 'Some day']) await actor.createGroup(group)
    await actor.createUser('bob')
    await actor.add('Agents', 'bob')
    await service.settle()
    await step(t, service, 'held', () => actor.add('Some day', 'bob'))
    await step(t, service, 'another joined', () => actor.add('Analyst', 'bob'), {
      bob: ['Agents', 'Analyst'],
    })
    service.sandbox.state.addRole('Some day')
    await step(t, service, 'in order of joining', () => service.retry(), {
      bob: ['Agents', 'Some day', 'Analyst'],
    })
    await step(t, service, 'and it goes with the group', () => actor.deleteGroup('Some day'), {
      bob: ['Agents', 'Analyst'],
    })
  })

  await t.test('a rename to a name that is no role is accepted', async (t) => {
    const actor = entra(t, service)
    service.sandbox.state.addRole('First name')
    await actor.createGroup('First name')
    await actor.createUser('cid')
    await actor.add('First name', 'cid')
    await service.settle()
    await actor.rename('First name', 'Second name')
    await service.settle()
    service.sandbox.state.addRole('Second name')
    await service.retry()
    t.strictSame(service.accounts()[emailOf('cid')], ['Second name'])
  })
})

async function waitsForItsRole(
  t: Test,
  service: TestService,
  actor: ReturnType<typeof entra>,
  group: string,
  name: string,
): Promise<void> {
  await step(t, service, 'held: the placeholder stays', () => actor.add(group, name))
  t.match(await reasons(service), [new RegExp(group)], 'the reason names the role')
  await step(t, service, 'retried in vain', () => service.retry())
  service.sandbox.state.addRole(group)
  await step(t, service, 'the role appears', () => service.retry(), { [name]: [group] })
  t.strictSame(await reasons(service), [])
  await step(t, service, 'and is granted as any other', () => actor.remove(group, name), { [name]: 'gone' })
}
