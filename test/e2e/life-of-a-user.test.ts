import t from 'tap'
import { userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import {
  account,
  callsDuring,
  type Dialect,
  dialects,
  emailOf,
  entra,
  found,
  isScimError,
  PLACEHOLDER,
  step,
  userNameOf,
} from './setup.ts'

for (const dialect of Object.keys(dialects) as Dialect[]) {
  t.test(`${dialect}`, async (t) => {
    const service = await startTestService(t, {
      roles: [PLACEHOLDER, 'One', 'Two', 'Three', 'Four', 'By hand'],
    })

    await t.test('from the first day to the last', async (t) => {
      const actor = entra(t, service, dialect)
      await actor.createGroup('One')
      const create = () => actor.createUser('ann')
      await step(t, service, 'created: awaiting', create, { ann: account('ann', [PLACEHOLDER]) })
      await step(t, service, 'first group: assigned', () => actor.add('One', 'ann'), { ann: ['One'] })
      await step(t, service, 'no effect', () => actor.active('ann', false))
      await step(t, service, 'last group lost: released', () => actor.remove('One', 'ann'), { ann: 'gone' })
      await step(t, service, 'reactivated: awaiting', () => actor.active('ann', true), {
        ann: account('ann', [PLACEHOLDER]),
      })
      t.strictSame(await actor.findUser('ann'), [actor.idOf('ann')], 'the id stays')
      await step(t, service, 'a group again', () => actor.add('One', 'ann'), { ann: ['One'] })
      await step(t, service, 'released again', () => actor.remove('One', 'ann'), { ann: 'gone' })
      await step(t, service, 'added while released: assigned', () => actor.add('One', 'ann'), {
        ann: account('ann', ['One']),
      })
      t.match(await actor.getUser('ann'), { id: actor.idOf('ann'), active: true }, 'the id stays')
      await step(t, service, 'deleted', () => actor.deleteUser('ann'), { ann: 'gone' })
    })

    await t.test('reactivated and assigned in one go', async (t) => {
      const actor = entra(t, service, dialect)
      await actor.createGroup('Two')
      await actor.createUser('bea')
      await actor.add('Two', 'bea')
      await actor.active('bea', false)
      await service.settle()
      await step(t, service, 'released', () => actor.remove('Two', 'bea'), { bea: 'gone' })
      const act = async () => {
        await actor.active('bea', true)
        await actor.add('Two', 'bea')
      }
      const calls = await callsDuring(service, () =>
        step(t, service, 'back', act, { bea: account('bea', ['Two']) }),
      )
      t.strictSame(calls.writes, ['POST'], 'the placeholder was never written')
    })

    await t.test('only active:true after false brings somebody back', async (t) => {
      const actor = entra(t, service, dialect)
      await actor.createGroup('Three')
      await actor.createUser('cem')
      await actor.add('Three', 'cem')
      await service.settle()
      await step(t, service, 'active:true when it is true', () => actor.active('cem', true))
      await step(t, service, 'released', () => actor.remove('Three', 'cem'), { cem: 'gone' })
      await step(t, service, 'active:true when it is true, while released', () => actor.active('cem', true))
      await step(t, service, 'active:false while released', () => actor.active('cem', false))
      await step(t, service, 'active:false once more', () => actor.active('cem', false))
      const back = { cem: account('cem', [PLACEHOLDER]) }
      await step(t, service, 'active:true after it', () => actor.active('cem', true), back)
      await step(t, service, 'and once more', () => actor.active('cem', true))
      await step(t, service, 'off and on again while awaiting', async () => {
        await actor.active('cem', false)
        await actor.active('cem', true)
      })
    })

    await t.test('off and on again while assigned changes nothing, then or later', async (t) => {
      const actor = entra(t, service, dialect)
      await actor.createGroup('Four')
      await actor.createUser('dan')
      await actor.add('Four', 'dan')
      await service.settle()
      await step(t, service, 'off', () => actor.active('dan', false))
      await step(t, service, 'on', () => actor.active('dan', true))
      await step(t, service, 'no placeholder comes back', () => actor.remove('Four', 'dan'), { dan: 'gone' })
    })
  })
}

t.test('an inactive or released user is found as before, with the same id', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  await actor.active('ann', false)
  await actor.remove('Agents', 'ann')
  await service.settle()
  t.strictSame(service.accounts(), {})
  const id = actor.idOf('ann')
  const filters = [
    `userName eq "${userNameOf('ann').toUpperCase()}"`,
    'externalId eq "entra-ann"',
    `emails[type eq "work"].value eq "${emailOf('ann')}"`,
    `id eq "${id}"`,
    `userName eq "${userNameOf('ann')}" and active eq false`,
  ]
  for (const filter of filters) {
    const answer = await service.scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)
    t.strictSame(found(t, answer), [id], filter)
  }
  t.match(await actor.getUser('ann'), { id, active: false, userName: userNameOf('ann') })
  const taken = await service.scim('POST', '/Users', userBody('ann', { userName: userNameOf('ann') }))
  isScimError(t, taken, { status: 409, scimType: 'uniqueness' }, 'the userName is still taken')
})

t.test('DELETE makes a user vanish', async (t) => {
  const service = await startTestService(t)

  await t.test('from every request, and frees the userName', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Agents')
    const id = await actor.createUser('ann')
    await actor.add('Agents', 'ann')
    await service.settle()
    await step(t, service, 'the account goes', () => actor.deleteUser('ann'), { ann: 'gone' })
    const patch = dialects['without the flag'].active(true)
    const requests: [string, object?][] = [['GET'], ['PUT', userBody('ann')], ['PATCH', patch], ['DELETE']]
    const calls = await callsDuring(service, async () => {
      for (const [method, body] of requests) {
        isScimError(t, await service.scim(method, `/Users/${id}`, body), { status: 404 }, method)
      }
    })
    t.strictSame(calls, { writes: [], reads: 0 }, 'deleting twice: no second call')
    t.strictSame(await actor.findUser('ann'), [])
    t.strictSame((await actor.getGroup('Agents')).members ?? [], [], 'it is a member no more')

    await step(t, service, 'somebody new under the name', () => actor.createUser('ann'), {
      ann: account('ann', [PLACEHOLDER]),
    })
    t.not(actor.idOf('ann'), id)
    const act = () =>
      service.scim('PATCH', `/Groups/${actor.idOf('Agents')}`, dialects['with the flag'].remove(id))
    await step(t, service, 'a late removal of the deleted one changes nothing', async () => {
      t.equal((await act()).status, 204)
    })
  })

  await t.test('while awaiting or released, too', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Analyst')
    await actor.createUser('bob')
    await actor.createUser('cid')
    await actor.add('Analyst', 'cid')
    await service.settle()
    await step(t, service, 'awaiting', () => actor.deleteUser('bob'), { bob: 'gone' })
    await step(t, service, 'released', () => actor.remove('Analyst', 'cid'), { cid: 'gone' })
    await step(t, service, 'deleted after it', () => actor.deleteUser('cid'))
    t.strictSame(await actor.findUser('cid'), [])
  })

  await t.test('before it ever was reconciled', async (t) => {
    const actor = entra(t, service)
    const calls = await callsDuring(service, async () => {
      await actor.createUser('dot')
      await actor.deleteUser('dot')
    })
    t.strictSame(calls.writes, [], 'nothing was created')
  })
})

t.test('PUT deactivates and reactivates as PATCH does', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  const id = await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  const put = async (active: boolean) => {
    const body = userBody('ann', { userName: userNameOf('ann'), active })
    t.match(await service.scim('PUT', `/Users/${id}`, body), { status: 200, body: { id, active } })
  }
  await step(t, service, 'no effect', () => put(false))
  await step(t, service, 'released', () => actor.remove('Agents', 'ann'), { ann: 'gone' })
  await step(t, service, 'reactivated', () => put(true), { ann: account('ann', [PLACEHOLDER]) })
})

t.test('a PUT of a group sets its members', async (t) => {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob', 'cid']) await actor.createUser(name)
  await actor.add('Agents', 'ann', 'bob')
  await service.settle()
  const body = {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
    displayName: 'Agents',
    members: [{ value: actor.idOf('bob') }, { value: actor.idOf('cid') }],
  }
  const act = () => service.scim('PUT', `/Groups/${actor.idOf('Agents')}`, body)
  await step(t, service, 'one leaves, one stays, one joins', act, { ann: 'gone', cid: ['Agents'] })
})
