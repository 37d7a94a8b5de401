import t from 'tap'
import { startTestService } from '../support/service.ts'
import { account, accountsIn, emailOf, entra, PLACEHOLDER, reasons, step } from './setup.ts'

// Somebody who is deleted in Entra and created anew has a new SCIM id, but the same address and the same externalId.

t.test('created anew while the former account is still to be deleted', async (t) => {
  const service = await startTestService(t)
  const { faults } = service.sandbox.state
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  faults.set({ kind: 'error', status: 500, method: 'DELETE' })
  await step(t, service, 'cannot be deleted yet', () => actor.deleteUser('ann'))
  await step(t, service, 'linked to another user, so not adopted', () => actor.createUser('ann'))
  faults.clear()
  // Which of the two is tried first is open, so the new one may have to wait once more.
  await service.retry()
  await service.retry()
  t.strictSame(
    accountsIn(service),
    { [emailOf('ann')]: account('ann', [PLACEHOLDER]) },
    'none of the old roles',
  )
  t.strictSame(await reasons(service), [])
  await step(t, service, 'and so it stays', () => service.resync())
})

t.test('created anew while nobody knows that the former account was deleted', async (t) => {
  const service = await startTestService(t)
  const { faults } = service.sandbox.state
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  faults.set({ kind: 'cut_off', method: 'DELETE', times: 1 })
  await step(t, service, 'deleted, and the answer lost', () => actor.deleteUser('ann'), { ann: 'gone' })
  await step(t, service, 'the new one waits until that is known', () => actor.createUser('ann'))
  // The former one's is looked for twice before it is believed to be gone.
  await service.retry()
  await step(t, service, 'and then gets an account, which stays', () => service.retry(), {
    ann: account('ann', [PLACEHOLDER]),
  })
  t.strictSame(await reasons(service), [])
  await step(t, service, 'whatever is looked at again', () => service.resync())
})

t.test('deleted and created anew at once', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  // Both are reconciled side by side, and meet differently each time.
  for (const name of Array.from({ length: 20 }, (_, index) => `user-${index}`)) {
    await actor.createUser(name)
    await actor.add('Agents', name)
    await service.settle()
    await actor.deleteUser(name)
    await actor.createUser(name)
    await service.settle()
    await service.retry()
    t.strictSame(accountsIn(service)[emailOf(name)], account(name, [PLACEHOLDER]), name)
  }
  t.strictSame(await reasons(service), [])
})
