import t from 'tap'
import { startTestService } from '../support/service.ts'
import { account, accountsIn, emailOf, entra, PLACEHOLDER, reasons, step } from './setup.ts'

const roles = [PLACEHOLDER, 'Agents', 'Supervisors', 'By hand', 'Also by hand']

t.test('EXISTING_ACCOUNTS=link, the default', async (t) => {
  const service = await startTestService(t, { roles })
  const { state } = service.sandbox

  await t.test('an account with the same e-mail is adopted, its roles are foreign', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Agents')
    state.putUser({ email: emailOf('ann'), displayName: 'Nobody', roles: ['By hand', 'Also by hand'] })
    await step(t, service, 'adopted, with its roles and our fields', () => actor.createUser('ann'), {
      ann: account('ann', ['By hand', 'Also by hand']),
    })
    await step(t, service, 'a group', () => actor.add('Agents', 'ann'), {
      ann: ['By hand', 'Also by hand', 'Agents'],
    })
    await step(t, service, 'the group lost', () => actor.remove('Agents', 'ann'), {
      ann: ['By hand', 'Also by hand'],
    })
  })

  await t.test('compared without case, enabled again, its placeholder no foreign role', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Supervisors')
    const { id } = state.putUser({ email: 'Bob@Example.com', enabled: false, roles: [PLACEHOLDER] })
    await actor.createUser('bob')
    await service.settle()
    const adopted = state.userByEmail(emailOf('bob'))
    t.match(adopted, { id, enabled: true, externalId: 'entra-bob', roles: [PLACEHOLDER] })
    await actor.add('Supervisors', 'bob')
    await service.settle()
    t.strictSame(state.userByEmail(emailOf('bob'))?.roles, ['Supervisors'])
    await actor.remove('Supervisors', 'bob')
    await service.settle()
    t.equal(state.userByEmail(emailOf('bob')), undefined)
  })

  await t.test('a role it holds already and a group names is granted from then on', async (t) => {
    const actor = entra(t, service)
    state.putUser({ email: emailOf('cid'), roles: ['Agents'] })
    const group = (await actor.findGroup('Agents'))[0] ?? ''
    await actor.createUser('cid')
    const member = [{ value: actor.idOf('cid') }]
    const patch = (op: string) =>
      service.scim('PATCH', `/Groups/${group}`, {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations: [{ op, path: 'members', value: member }],
      })
    await step(t, service, 'adopted', () => patch('Add'), { cid: account('cid', ['Agents']) })
    await step(t, service, 'gone with the group', () => patch('Remove'), { cid: 'gone' })
  })
})

t.test('EXISTING_ACCOUNTS=refuse', async (t) => {
  const service = await startTestService(t, { roles, env: { EXISTING_ACCOUNTS: 'refuse' } })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  service.sandbox.state.putUser({ email: emailOf('ann'), displayName: 'Nobody', roles: ['By hand'] })
  await step(t, service, 'not touched', () => actor.createUser('ann'))
  t.match(await reasons(service), [/exist|already|found/i], 'the reason is clear')
  await step(t, service, 'nor with a group', () => actor.add('Agents', 'ann'))
  await step(t, service, 'nor at a resync', () => service.resync())
  await step(t, service, 'nor later', () => service.retry())
  await step(t, service, 'nor when the user goes', async () => {
    await actor.remove('Agents', 'ann')
    await actor.deleteUser('ann')
  })
  const others = { bob: account('bob', [PLACEHOLDER]) }
  await step(t, service, 'others are served', () => actor.createUser('bob'), others)

  await step(t, service, 'an account of ours is no existing one', () => service.resync())
})

for (const EXISTING_ACCOUNTS of ['link', 'refuse']) {
  t.test(
    `an account found by e-mail that carries our externalId is ours, with ${EXISTING_ACCOUNTS}`,
    async (t) => {
      const service = await startTestService(t, { roles, env: { EXISTING_ACCOUNTS } })
      const { state } = service.sandbox
      const actor = entra(t, service)
      await actor.createGroup('Agents')

      // What a crash leaves between Campaign Manager's answer to a creation and our record of it.
      const { id } = state.putUser({ ...account('ann', [PLACEHOLDER]) })
      await step(t, service, 'taken as it is', () => actor.createUser('ann'))
      await step(t, service, 'a group', () => actor.add('Agents', 'ann'), { ann: ['Agents'] })
      t.equal(state.userByEmail(emailOf('ann'))?.id, id, 'no second account')
      await step(t, service, 'the group lost', () => actor.remove('Agents', 'ann'), { ann: 'gone' })

      // The account is there before anything is reconciled, as if its creation had not been recorded.
      await actor.createUser('bob', { externalId: undefined })
      state.putUser(account('bob', [PLACEHOLDER], { externalId: actor.idOf('bob') }))
      await step(t, service, 'without externalId, the SCIM id stands for it', () => {})
      t.strictSame(await reasons(service), [])
    },
  )
}

t.test('answers that are lost after Campaign Manager applied the call', async (t) => {
  const service = await startTestService(t, { roles, env: { EXISTING_ACCOUNTS: 'refuse' } })
  const { state } = service.sandbox
  const actor = entra(t, service)
  for (const group of ['Agents', 'Supervisors']) await actor.createGroup(group)

  for (const kind of ['truncated', 'cut_off'] as const) {
    const name = `user-${kind.replace('_', '-')}`
    state.faults.set({ kind, method: 'POST', emailOrId: emailOf(name) })
    await actor.createUser(name)
    await service.settle()
    state.faults.clear()
    await service.retry()
    t.strictSame(accountsIn(service)[emailOf(name)], account(name, [PLACEHOLDER]), 'created once, and ours')

    state.faults.set({ kind, method: 'PUT', emailOrId: emailOf(name) })
    await actor.add('Agents', name)
    await service.settle()
    t.strictSame(service.accounts()[emailOf(name)], ['Agents'], 'granted, but we were not told')
    state.faults.clear()
    await actor.add('Supervisors', name)
    await actor.remove('Agents', name)
    await service.retry()
    t.strictSame(service.accounts()[emailOf(name)], ['Supervisors'], 'so it was no foreign role')

    state.faults.set({ kind, method: 'DELETE', emailOrId: emailOf(name) })
    await actor.remove('Supervisors', name)
    await service.settle()
    state.faults.clear()
    // It is looked for twice before it is believed to be gone.
    await service.retry()
    await service.retry()
    t.equal(service.accounts()[emailOf(name)], undefined)
    t.strictSame(await reasons(service), [])
  }
})

t.test('an account linked to another user is never adopted', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  for (const group of ['Agents', 'Supervisors']) await actor.createGroup(group)
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  const emails = [{ value: emailOf('ann').toUpperCase(), type: 'work', primary: true }]
  await step(t, service, 'a second user of the same address', () => actor.createUser('rival', { emails }))
  t.match(await reasons(service), [/link|another|other/i])
  await step(t, service, 'in a group', () => actor.add('Supervisors', 'rival'))
  await step(t, service, 'at a resync', () => service.resync())
  await step(t, service, 'out of the group', () => actor.remove('Supervisors', 'rival'))
  await step(t, service, 'deleted', () => actor.deleteUser('rival'))

  await actor.createUser('heir', { emails: [{ value: emailOf('ann'), type: 'work', primary: true }] })
  await actor.add('Supervisors', 'heir')
  await service.settle()
  await actor.deleteUser('ann')
  await service.settle()
  await service.retry()
  t.strictSame(
    accountsIn(service)[emailOf('ann')],
    account('heir', ['Supervisors'], { email: emailOf('ann') }),
    'when the other is gone, the address is free',
  )
})
