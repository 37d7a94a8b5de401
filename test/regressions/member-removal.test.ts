import t from 'tap'
import { account, accountsIn, type Dialect, dialects, emailOf, entra, isScimError } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'

for (const dialect of Object.keys(dialects) as Dialect[]) {
  t.test(`removing a member by a value that nobody is known by, ${dialect}`, async (t) => {
    const service = await startTestService(t)
    const actor = entra(t, service, dialect)
    await actor.createGroup('Agents')
    for (const name of ['ann', 'bob']) await actor.createUser(name)
    await actor.add('Agents', 'ann', 'bob')
    await service.settle()
    const before = await actor.getGroup('Agents')
    const accounts = accountsIn(service)
    const patch = (...values: string[]) =>
      service.scim('PATCH', `/Groups/${actor.idOf('Agents')}`, dialects[dialect].remove(...values))

    for (const value of ['annn@example.com', 'nobody', '1234']) {
      isScimError(t, await patch(actor.idOf('ann'), value), {
        status: 400,
        scimType: 'invalidValue',
        detail: `members: no user is known by '${value}'`,
      })
      t.strictSame(await actor.getGroup('Agents'), before, 'nothing of the request is applied')
    }
    await service.settle()
    t.strictSame(accountsIn(service), accounts)

    t.equal(
      (await patch('00000000-0000-4000-8000-000000000000')).status,
      204,
      'an id that was never a user’s',
    )
    t.strictSame(await actor.getGroup('Agents'), before)
    await actor.deleteUser('bob')
    t.equal((await patch(actor.idOf('bob'), actor.idOf('ann'))).status, 204, 'the id of a deleted user')
    await service.settle()
    t.strictSame(accountsIn(service), {}, 'and the others that the request names are removed')
  })
}

t.test('a removal by e-mail address finds its user', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service, 'without the flag', 'e-mail')
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'bob')
  await actor.remove('Agents', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), { [emailOf('bob')]: account('bob', ['Agents']) })
})
