import t, { type Test } from 'tap'
import { account, accountsIn, emailOf, entra, PLACEHOLDER, reasons } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'

const TAKEN = emailOf('taken')

/** Ann, in Agents and Analyst, is to get an address that another account has. */
async function annWithTakenAddress(t: Test) {
  const service = await startTestService(t)
  const actor = entra(t, service)
  for (const group of ['Agents', 'Analyst', 'Supervisors']) await actor.createGroup(group)
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await actor.add('Analyst', 'ann')
  await service.settle()
  service.sandbox.state.putUser({ email: TAKEN, roles: ['Administrator'] })
  await actor.changeUser('ann', 'emails[type eq "work"].value', TAKEN)
  return { service, actor, state: service.sandbox.state }
}

t.test('an address that is taken does not keep a role on an account', async (t) => {
  const { service, actor, state } = await annWithTakenAddress(t)
  const byHand = accountsIn(service)[TAKEN]
  await actor.remove('Analyst', 'ann')
  await actor.add('Supervisors', 'ann')
  await service.settle()
  const expected = { [emailOf('ann')]: account('ann', ['Agents', 'Supervisors']), [TAKEN]: byHand }
  t.strictSame(accountsIn(service), expected, 'the roles change, the address stays')
  t.match(await reasons(service), [/^email_taken /])
  await service.retry()
  t.strictSame(accountsIn(service), expected)

  state.removeUser(state.userByEmail(TAKEN)?.id ?? '')
  await service.retry()
  t.strictSame(accountsIn(service), { [TAKEN]: account('ann', ['Agents', 'Supervisors'], { email: TAKEN }) })
  t.strictSame(await reasons(service), [])
})

t.test('nor does it keep the account of somebody who leaves the last group', async (t) => {
  const { service, actor } = await annWithTakenAddress(t)
  const byHand = accountsIn(service)[TAKEN]
  await service.settle()
  t.match(await reasons(service), [/^email_taken /])
  await actor.remove('Agents', 'ann')
  await actor.remove('Analyst', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), { [TAKEN]: byHand })
  t.strictSame(await reasons(service), [])
})

t.test('whose address it is, is not held up by the one who was refused it', async (t) => {
  const { service, actor } = await annWithTakenAddress(t)
  await service.settle()
  t.match(await reasons(service), [/^email_taken /])
  await actor.createUser('taken')
  await actor.add('Agents', 'taken')
  await service.settle()
  t.match(await reasons(service), [/^email_taken /], 'nobody else waits')
  t.strictSame(accountsIn(service), {
    [emailOf('ann')]: account('ann', ['Agents', 'Analyst']),
    [TAKEN]: account('taken', ['Administrator', 'Agents']),
  })
})

t.test('a new user of the address gets an account once the address is free', async (t) => {
  const { service, actor, state } = await annWithTakenAddress(t)
  await service.settle()
  await actor.changeUser('ann', 'emails[type eq "work"].value', emailOf('ann'))
  state.removeUser(state.userByEmail(TAKEN)?.id ?? '')
  await actor.createUser('taken')
  await service.settle()
  t.strictSame(accountsIn(service), {
    [emailOf('ann')]: account('ann', ['Agents', 'Analyst']),
    [TAKEN]: account('taken', [PLACEHOLDER]),
  })
  t.strictSame(await reasons(service), [])
})
