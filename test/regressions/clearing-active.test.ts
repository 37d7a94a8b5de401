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

const roles = ['Placeholder', ...Object.keys(ways).map((_way, index) => `Role ${index}`)]
const services = {
  ignore: await startTestService(t, { roles }),
  suspend: await startTestService(t, { roles, env: { ON_DEACTIVATE: 'suspend' } }),
}

for (const [index, [way, operation]] of Object.entries(ways).entries()) {
  t.test(`active ${way}`, async (t) => {
    const role = `Role ${index}`
    const accountOf = (service: typeof services.ignore, name: string) => accountsIn(service)[emailOf(name)]

    await t.test('leaves a deactivated user inactive, and the account disabled', async (t) => {
      const service = services.suspend
      const actor = entra(t, service)
      const ann = `ann-${index}`
      await actor.createGroup(role)
      await actor.createUser(ann)
      await actor.add(role, ann)
      await actor.active(ann, false)
      await service.settle()
      const disabled = account(ann, [role], { enabled: false })
      t.strictSame(accountOf(service, ann), disabled)
      const answer = await service.scim('PATCH', `/Users/${actor.idOf(ann)}`, patchBody(operation))
      t.equal(answer.status, 200)
      t.equal(answer.body.active, false)
      t.equal((await actor.getUser(ann)).active, false)
      await service.settle()
      t.strictSame(accountOf(service, ann), disabled)
    })

    await t.test('brings back no account that was given up', async (t) => {
      const service = services.ignore
      const actor = entra(t, service)
      const bob = `bob-${index}`
      await actor.createGroup(role)
      await actor.createUser(bob)
      await actor.add(role, bob)
      await actor.active(bob, false)
      await actor.remove(role, bob)
      await service.settle()
      t.strictSame(accountsIn(service), {})
      const answer = await service.scim('PATCH', `/Users/${actor.idOf(bob)}`, patchBody(operation))
      t.equal(answer.status, 200)
      await service.resync()
      t.strictSame(accountsIn(service), {})
    })

    await t.test('leaves an active user active', async (t) => {
      const service = services.suspend
      const actor = entra(t, service)
      const cid = `cid-${index}`
      await actor.createUser(cid)
      await service.settle()
      const before = accountsIn(service)
      const answer = await service.scim('PATCH', `/Users/${actor.idOf(cid)}`, patchBody(operation))
      t.equal(answer.status, 200)
      t.equal(answer.body.active, true)
      await service.settle()
      t.strictSame(accountsIn(service), before)
    })
  })
}
