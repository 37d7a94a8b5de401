import t from 'tap'
import { account, accountsIn, emailOf, entra } from '../e2e/setup.ts'
import { patchBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

// Clearing a boolean says nothing of its value, and least of all that somebody may work again.
const ways = {
  'replaced by an empty text': { op: 'Replace', path: 'active', value: '' },
  'replaced by null': { op: 'Replace', path: 'active', value: null },
  'replaced by null without a path': { op: 'replace', value: { active: null } },
  removed: { op: 'Remove', path: 'active' },
}

for (const [way, operation] of Object.entries(ways)) {
  t.test(`active ${way}`, async (t) => {
    t.test('leaves a deactivated user inactive, and the account disabled', async (t) => {
      const service = await startTestService(t, { env: { ON_DEACTIVATE: 'suspend' } })
      const actor = entra(t, service)
      await actor.createGroup('Agents')
      await actor.createUser('ann')
      await actor.add('Agents', 'ann')
      await actor.active('ann', false)
      await service.settle()
      const disabled = { [emailOf('ann')]: account('ann', ['Agents'], { enabled: false }) }
      t.strictSame(accountsIn(service), disabled)
      const answer = await service.scim('PATCH', `/Users/${actor.idOf('ann')}`, patchBody(operation))
      t.equal(answer.status, 200)
      t.equal(answer.body.active, false)
      t.equal((await actor.getUser('ann')).active, false)
      await service.settle()
      t.strictSame(accountsIn(service), disabled)
    })

    t.test('brings back no account that was given up', async (t) => {
      const service = await startTestService(t)
      const actor = entra(t, service)
      await actor.createGroup('Agents')
      await actor.createUser('ann')
      await actor.add('Agents', 'ann')
      await actor.active('ann', false)
      await actor.remove('Agents', 'ann')
      await service.settle()
      t.strictSame(accountsIn(service), {})
      const answer = await service.scim('PATCH', `/Users/${actor.idOf('ann')}`, patchBody(operation))
      t.equal(answer.status, 200)
      await service.resync()
      t.strictSame(accountsIn(service), {})
    })

    t.test('leaves an active user active', async (t) => {
      const service = await startTestService(t, { env: { ON_DEACTIVATE: 'suspend' } })
      const actor = entra(t, service)
      await actor.createUser('ann')
      await service.settle()
      const before = accountsIn(service)
      const answer = await service.scim('PATCH', `/Users/${actor.idOf('ann')}`, patchBody(operation))
      t.equal(answer.status, 200)
      t.equal(answer.body.active, true)
      await service.settle()
      t.strictSame(accountsIn(service), before)
    })
  })
}
