import t from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import { startTestService } from '../support/service.ts'
import { account, accountsIn, emailOf, entra, metric, PLACEHOLDER, reasons } from './setup.ts'

const roles = [PLACEHOLDER, 'One', 'Two']
const away: Record<string, FaultRule> = {
  'its connections are reset': { kind: 'reset' },
  'it answers 500': { kind: 'error', status: 500 },
  'it answers 503': { kind: 'error', status: 503 },
  'it refuses the key': { kind: 'unauthorized' },
  'it asks to come back later': { kind: 'rate_limited' },
  'a proxy answers in HTML': { kind: 'html', status: 502 },
  'a proxy answers in HTML, with 200': { kind: 'html' },
  'it never answers': { kind: 'timeout' },
  'its answers are cut off': { kind: 'cut_off' },
}

for (const [message, fault] of Object.entries(away)) {
  t.test(`while ${message}, SCIM succeeds and the work waits`, async (t) => {
    const service = await startTestService(t, { roles, env: { CAMPAIGN_MANAGER_TIMEOUT_MS: '700' } })
    const { faults } = service.sandbox.state
    const actor = entra(t, service)
    await actor.createGroup('One')
    for (const name of ['leaver', 'mover']) await actor.createUser(name)
    await actor.add('One', 'leaver', 'mover')
    await service.settle()

    // Reads fail as well, so that nothing can be applied whose answer is then lost.
    faults.set(
      { ...fault, method: 'GET' },
      { ...fault, method: 'PUT' },
      { ...fault, method: 'DELETE' },
      fault,
    )
    const before = accountsIn(service)
    await actor.createUser('joiner')
    await actor.createGroup('Two')
    await actor.add('Two', 'joiner', 'mover')
    await actor.remove('One', 'leaver', 'mover')
    await actor.active('mover', false)
    t.strictSame(await actor.findUser('joiner'), [actor.idOf('joiner')])
    t.equal((await actor.getGroup('Two')).members.length, 2, 'what was written is read back')
    await service.settle()
    if (fault.kind !== 'cut_off') t.strictSame(accountsIn(service), before, 'no account has changed')
    t.equal((await reasons(service)).length, 3, 'everything waits')
    t.equal(await metric(service, 'reconcile_pending'), 3)
    t.equal((await fetch(`${service.url}/readyz`)).status, 200, 'the service itself is well')

    faults.clear()
    // Who was told 429 or 401 leaves Campaign Manager alone for a while; a fresh process was not told.
    const isTold = fault.kind === 'rate_limited' || fault.kind === 'unauthorized'
    const process = isTold ? await startTestService(t, { beside: service }) : service
    await process.retry()
    t.strictSame(accountsIn(service), {
      [emailOf('joiner')]: account('joiner', ['Two']),
      [emailOf('mover')]: account('mover', ['Two']),
    })
    t.strictSame(await reasons(service), [])
    t.equal(await metric(service, 'reconcile_failing'), 0)
  })
}

t.test('a fault that concerns one person holds up nobody else', async (t) => {
  const service = await startTestService(t, { roles })
  const { faults } = service.sandbox.state
  const actor = entra(t, service)
  await actor.createGroup('One')
  for (const name of ['ann', 'bob', 'cid']) await actor.createUser(name)
  await actor.add('One', 'ann', 'bob', 'cid')
  faults.set({ kind: 'error', status: 500, emailOrId: emailOf('bob') })
  await service.settle()
  t.strictSame(service.accounts(), { [emailOf('ann')]: ['One'], [emailOf('cid')]: ['One'] })
  await actor.remove('One', 'bob')
  faults.clear()
  await service.retry()
  t.strictSame(
    service.accounts(),
    { [emailOf('ann')]: ['One'], [emailOf('cid')]: ['One'] },
    'what was wanted before and is not any more is not done',
  )
})

t.test('an edit by hand between our read and our write is not overwritten unseen', async (t) => {
  const service = await startTestService(t, { roles: [...roles, 'By hand'] })
  const { state } = service.sandbox
  const actor = entra(t, service)
  await actor.createGroup('One')
  await actor.createUser('ann')
  await service.settle()
  const id = state.userByEmail(emailOf('ann'))?.id ?? ''
  let edited = false
  state.onRequest = async ({ method }) => {
    if (method !== 'PUT' || edited) return
    edited = true
    state.editUser(id, { roles: [PLACEHOLDER, 'By hand'] })
  }
  await actor.add('One', 'ann')
  await service.settle()
  await service.retry()
  t.ok(edited)
  t.strictSame(service.accounts()[emailOf('ann')], ['By hand', 'One'])
})
