// docs/upgrading.md, "Backup and restore": the directory is older than what Entra believes, and Entra does not send again what it
// took away since.
import t from 'tap'
import { patchBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { callsDuring, emailOf, entra, step } from './setup.ts'

const EMPTY = patchBody({ op: 'replace', path: 'members', value: [] })

t.test('what was taken away after the backup is not given back', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service)
  const { scim, sandbox } = service
  for (const group of ['Agents', 'Analyst']) await actor.createGroup(group)
  for (const name of ['ann', 'bob', 'cid', 'dan']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'bob', 'cid', 'dan')
  await actor.add('Analyst', 'ann', 'dan')
  await service.settle()
  // After the backup: Bob's only role and one of Dan's were taken away, there too; Cid's was not yet.
  const idOf = (name: string) => sandbox.state.userByEmail(emailOf(name))?.id ?? ''
  sandbox.state.removeUser(idOf('bob'))
  sandbox.state.editUser(idOf('dan'), { roles: ['Agents'] })

  const { body } = await scim('GET', '/Groups?attributes=id&count=1000')
  for (const { id } of body.Resources) t.equal((await scim('PATCH', `/Groups/${id}`, EMPTY)).status, 204)
  await actor.add('Agents', 'ann', 'dan')
  await actor.add('Analyst', 'ann')
  // The step compares all accounts whole: but for Cid's, they are as they were.
  const calls = await callsDuring(service, () =>
    step(t, service, 'as Entra has it', () => {}, { cid: 'gone' }),
  )
  t.strictSame(
    calls.writes.sort(),
    ['DELETE', 'PUT'],
    "Dan's is written once, to be sure that the role is gone",
  )
})
