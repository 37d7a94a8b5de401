import t from 'tap'
import { GROUP_SCHEMA, groupBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { dialects, emailOf, entra, isScimError, PLACEHOLDER, step } from './setup.ts'

const roles = [PLACEHOLDER, 'Agents', 'Administrator', 'Owner']
const env = { PROTECTED_ROLES: 'Administrator,Owner' }

function editByHand({ sandbox }: TestService, name: string, edit: { roles: string[] }): void {
  sandbox.state.editUser(sandbox.state.userByEmail(emailOf(name))?.id ?? '', edit)
}

t.test('a group named as a protected role is refused', async (t) => {
  const service = await startTestService(t, { roles, env })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  const before = await actor.getGroup('Agents')
  const agents = `/Groups/${actor.idOf('Agents')}`
  for (const name of ['Administrator', 'administrator', 'Owner']) {
    const refused = { status: 400, scimType: 'invalidValue', detail: new RegExp(name) }
    await step(t, service, name, async () => {
      isScimError(t, await service.scim('POST', '/Groups', groupBody(name)), refused, `POST ${name}`)
      for (const { replace } of Object.values(dialects)) {
        isScimError(
          t,
          await service.scim('PATCH', agents, replace('displayName', name)),
          refused,
          `PATCH ${name}`,
        )
      }
      const put = await service.scim('PUT', agents, { schemas: [GROUP_SCHEMA], displayName: name })
      isScimError(t, put, refused, `PUT ${name}`)
    })
  }
  t.strictSame(await actor.getGroup('Agents'), before)
})

t.test('an account that holds a protected role keeps it and is never deleted', async (t) => {
  const service = await startTestService(t, { roles, env })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob']) {
    await actor.createUser(name)
    await actor.add('Agents', name)
  }
  await service.settle()
  for (const name of ['ann', 'bob']) editByHand(service, name, { roles: ['Agents', 'Owner'] })
  await step(t, service, 'the last group lost', () => actor.remove('Agents', 'ann'), { ann: ['Owner'] })
  await actor.deleteUser('ann')
  await actor.deleteUser('bob')
  await service.settle()
  t.strictSame(service.accounts()[emailOf('ann')], ['Owner'], 'the user deleted in Entra, while released')
  t.ok(service.accounts()[emailOf('bob')]?.includes('Owner'), 'and while assigned')
})

t.test('what was granted before a role was protected', async (t) => {
  const before = await startTestService(t, { roles })
  const actor = entra(t, before)
  await actor.createGroup('Administrator')
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await actor.add('Administrator', 'ann')
  await before.settle()

  const service = await startTestService(t, { env, beside: before })
  const group = `/Groups/${actor.idOf('Administrator')}`
  const { add, remove } = dialects['without the flag']
  await service.scim('PATCH', group, add(actor.idOf('bob')))
  await service.settle()
  t.notOk(service.accounts()[emailOf('bob')]?.includes('Administrator'), 'it is granted to nobody new')
  await step(t, service, 'it is not removed from who holds it', () =>
    service.scim('PATCH', group, remove(actor.idOf('ann'))),
  )
  t.strictSame(service.accounts()[emailOf('ann')], ['Administrator'])
})
