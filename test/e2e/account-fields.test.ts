import t from 'tap'
import { patchBody, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import {
  account,
  accountsIn,
  callsDuring,
  emailOf,
  entra,
  PLACEHOLDER,
  reasons,
  step,
  userNameOf,
} from './setup.ts'

const roles = [PLACEHOLDER, 'Agents', 'Supervisors', 'By hand']

t.test('the address', async (t) => {
  const service = await startTestService(t, { roles })
  const home = { value: 'home@example.com', type: 'home' }
  const work = { value: 'work@example.com', type: 'work' }
  const other = { value: 'other@example.com', type: 'other' }
  const cases: [string, object[] | undefined, string][] = [
    ['the primary one', [home, work, { ...other, primary: true }], 'other@example.com'],
    ['else the one of type work', [home, work, other], 'work@example.com'],
    ['else the first', [home, other], 'home@example.com'],
    ['a primary that is false is none', [{ ...home, primary: false }, work], 'work@example.com'],
    ['else userName when it is an address', undefined, userNameOf('u4')],
    ['an empty list is none', [], userNameOf('u5')],
  ]
  for (const [index, [message, emails, expected]] of cases.entries()) {
    const actor = entra(t, service)
    await actor.createUser(`u${index}`, { emails })
    await service.settle()
    t.strictSame(Object.keys(service.accounts()), [expected], message)
    await actor.deleteUser(`u${index}`)
    await service.settle()
  }
})

t.test('without an address the account waits', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  const create = () => actor.createUser('ann', { emails: undefined, userName: 'CONTOSO\\ann' })
  await step(t, service, 'no account', create)
  t.match(await reasons(service), [/no e-mail address/])
  await step(t, service, 'nor with a group', () => actor.add('Agents', 'ann'))
  t.match(await reasons(service), [/no e-mail address/])
  await step(
    t,
    service,
    'until it gets one',
    () => actor.changeUser('ann', 'emails[type eq "work"].value', emailOf('ann')),
    { ann: account('ann', ['Agents']) },
  )
  t.strictSame(await reasons(service), [])
})

t.test('names and external id', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createUser('ann', {
    displayName: undefined,
    name: { formatted: 'Dr. Ann Lee', givenName: 'Ann', familyName: 'Lee' },
    externalId: undefined,
  })
  await actor.createUser('bob', { displayName: undefined, name: undefined })
  await service.settle()
  const expected = {
    firstName: 'Ann',
    lastName: 'Lee',
    displayName: 'Dr. Ann Lee',
    externalId: actor.idOf('ann'),
  }
  t.strictSame(accountsIn(service)[emailOf('ann')], account('ann', [PLACEHOLDER], expected))
  const bare = accountsIn(service)[emailOf('bob')]
  t.match(bare, { email: emailOf('bob'), externalId: 'entra-bob', roles: [PLACEHOLDER], enabled: true })
  t.notOk(bare?.firstName || bare?.lastName, 'no name is made up')
})

t.test('a change of a field is written like a change of roles', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  const id = service.sandbox.state.userByEmail(emailOf('ann'))?.id
  const changes: [string, string, object][] = [
    ['name.givenName', 'Anna', { firstName: 'Anna' }],
    ['name.familyName', 'Lee', { lastName: 'Lee' }],
    ['displayName', 'Anna Lee', { displayName: 'Anna Lee' }],
    ['externalId', 'entra-2', { externalId: 'entra-2' }],
  ]
  let expected = account('ann', ['Agents'])
  for (const [path, value, change] of changes) {
    expected = { ...expected, ...change }
    const act = () => actor.changeUser('ann', path, value)
    const calls = await callsDuring(service, () => step(t, service, path, act, { ann: expected }))
    t.strictSame(calls.writes, ['PUT'], `${path}: one write`)
  }
  await step(
    t,
    service,
    'an emptied display name falls back',
    () => actor.changeUser('ann', 'displayName', ''),
    {
      ann: { ...expected, displayName: 'ann' },
    },
  )
  await step(t, service, 'title is no field of the account', () => actor.changeUser('ann', 'title', 'Boss'))
  await actor.changeUser('ann', 'emails[type eq "work"].value', 'lee@example.com')
  await service.settle()
  const moved = { ...expected, displayName: 'ann', email: 'lee@example.com' }
  t.strictSame(accountsIn(service), { 'lee@example.com': moved }, 'the address changes, no second account')
  t.equal(service.sandbox.state.userByEmail('lee@example.com')?.id, id)

  const put = userBody('ann', { userName: userNameOf('ann') })
  const act = () => service.scim('PUT', `/Users/${actor.idOf('ann')}`, put)
  await act()
  await service.settle()
  t.strictSame(accountsIn(service), { [emailOf('ann')]: account('ann', ['Agents']) }, 'by PUT as well')
})

t.test('what people edit by hand is put back', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  const { state } = service.sandbox
  const id = state.userByEmail(emailOf('ann'))?.id ?? ''
  const edits = [
    { firstName: 'X' },
    { lastName: 'X' },
    { displayName: 'X' },
    { enabled: false },
    { email: 'x@example.com' },
    { externalId: 'x' },
  ]
  for (const edit of edits) {
    state.editUser(id, edit)
    await service.resync()
    t.strictSame(accountsIn(service), { [emailOf('ann')]: account('ann', ['Agents']) }, JSON.stringify(edit))
    t.equal(state.userByEmail(emailOf('ann'))?.id, id)
  }
  state.editUser(id, { firstName: 'X', roles: ['Agents', 'By hand'] })
  const calls = await callsDuring(service, () => service.resync())
  t.strictSame(calls.writes, ['PUT'], 'several edits, one write')
  t.strictSame(accountsIn(service)[emailOf('ann')], account('ann', ['By hand', 'Agents']))
})

t.test('a burst of changes to one user costs one write', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  for (const group of ['Agents', 'Supervisors']) await actor.createGroup(group)

  const creation = await callsDuring(service, async () => {
    await actor.createUser('ann')
    for (const name of ['A', 'B', 'C']) await actor.changeUser('ann', 'displayName', name)
    await actor.add('Agents', 'ann')
    await actor.add('Supervisors', 'ann')
    await actor.remove('Agents', 'ann')
  })
  t.strictSame(creation.writes, ['POST'])
  t.strictSame(accountsIn(service), {
    [emailOf('ann')]: account('ann', ['Supervisors'], { displayName: 'C' }),
  })

  const change = await callsDuring(service, async () => {
    await actor.add('Agents', 'ann')
    await actor.changeUser('ann', 'displayName', 'D')
    await actor.remove('Supervisors', 'ann')
    await actor.active('ann', false)
    const patch = patchBody(
      { op: 'Replace', path: 'name.givenName', value: 'Anna' },
      { op: 'Replace', path: 'name.familyName', value: 'Lee' },
    )
    t.equal((await service.scim('PATCH', `/Users/${actor.idOf('ann')}`, patch)).status, 200)
  })
  t.strictSame(change.writes, ['PUT'])
  const expected = { displayName: 'D', firstName: 'Anna', lastName: 'Lee' }
  t.strictSame(accountsIn(service)[emailOf('ann')], account('ann', ['Agents'], expected))

  const nothing = await callsDuring(service, async () => {
    await actor.add('Supervisors', 'ann')
    await actor.changeUser('ann', 'displayName', 'E')
    await actor.changeUser('ann', 'displayName', 'D')
    await actor.remove('Supervisors', 'ann')
  })
  t.strictSame(nothing.writes, [], 'and none when it comes to nothing')

  const end = await callsDuring(service, async () => {
    await actor.add('Supervisors', 'ann')
    await actor.deleteGroup('Agents')
    await actor.deleteUser('ann')
  })
  t.strictSame(end.writes, ['DELETE'])
})
