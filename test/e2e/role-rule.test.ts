import t from 'tap'
import { patchBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { account, callsDuring, emailOf, entra, metric, PLACEHOLDER, step } from './setup.ts'

const roles = [PLACEHOLDER, 'One', 'Two', 'Three', 'By hand', 'Also by hand']

function editByHand({ sandbox }: TestService, name: string, edit: { roles: string[] }): void {
  sandbox.state.editUser(sandbox.state.userByEmail(emailOf(name))?.id ?? '', edit)
}

t.test('the placeholder', async (t) => {
  const service = await startTestService(t, { roles })

  await t.test('stands beside no other role', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('One')
    await actor.createUser('ann')
    await actor.add('One', 'ann')
    await service.settle()
    editByHand(service, 'ann', { roles: ['One', PLACEHOLDER] })
    await step(t, service, 'added by hand, taken away', () => service.resync(), { ann: ['One'] })

    await actor.createUser('bob')
    await service.settle()
    editByHand(service, 'bob', { roles: [PLACEHOLDER, 'By hand'] })
    await step(t, service, 'nor beside a foreign one', () => service.resync(), { bob: ['By hand'] })
  })

  await t.test('never comes back once a group named the user', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('Two')
    await actor.createUser('cid')
    const act = async () => {
      await actor.createUser('dot')
      await actor.add('Two', 'cid', 'dot')
      await actor.remove('Two', 'cid', 'dot')
    }
    await service.settle()
    await step(t, service, 'joined and left between two reconciliations', act, { cid: 'gone' })
    await step(t, service, 'a resync brings nothing back', () => service.resync())
  })
})

t.test('foreign roles', async (t) => {
  const service = await startTestService(t, { roles })

  await t.test('are never removed, come first, and keep the account', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('One')
    await actor.createGroup('Two')
    await actor.createUser('ann')
    await actor.add('One', 'ann')
    await service.settle()
    editByHand(service, 'ann', { roles: ['Also by hand', 'One', 'By hand'] })
    await step(t, service, 'joining', () => actor.add('Two', 'ann'), {
      ann: ['Also by hand', 'By hand', 'One', 'Two'],
    })
    await step(t, service, 'leaving one', () => actor.remove('One', 'ann'), {
      ann: ['Also by hand', 'By hand', 'Two'],
    })
    await step(t, service, 'leaving the last', () => actor.deleteGroup('Two'), {
      ann: ['Also by hand', 'By hand'],
    })
    await step(t, service, 'a resync', () => service.resync())
    const reported = await fetch(`${service.url}/metrics`).then((answer) => answer.text())
    t.match(reported, /scim_bridge_drift_found_total\{kind="[^"]*"\} [1-9]/, 'they are reported')
    editByHand(service, 'ann', { roles: [PLACEHOLDER] })
    await step(t, service, 'when the last is taken away by hand', () => service.resync(), { ann: 'gone' })
  })

  await t.test('become granted when a group names them', async (t) => {
    const actor = entra(t, service)
    await actor.createGroup('By hand')
    await actor.createUser('bob')
    await service.settle()
    editByHand(service, 'bob', { roles: ['By hand'] })
    await step(t, service, 'it is there already', () => actor.add('By hand', 'bob'))
    await step(t, service, 'then it goes with the group', () => actor.remove('By hand', 'bob'), {
      bob: 'gone',
    })
  })
})

t.test('a granted role taken away by hand is put back', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('One')
  await actor.createGroup('Two')
  await actor.createUser('ann')
  await actor.add('One', 'ann')
  await actor.add('Two', 'ann')
  await service.settle()
  editByHand(service, 'ann', { roles: ['Two', 'By hand'] })
  await step(t, service, 'at a resync', () => service.resync(), { ann: ['By hand', 'One', 'Two'] })

  service.sandbox.state.removeUser(service.sandbox.state.userByEmail(emailOf('ann'))?.id ?? '')
  await step(t, service, 'and so is the account', () => service.resync(), {
    ann: account('ann', ['One', 'Two']),
  })
  t.ok((await metric(service, 'reconcile_total{outcome="created"}')) >= 2)
})

t.test('what changes nothing calls nobody', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  for (const group of ['One', 'Two']) await actor.createGroup(group)
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await actor.add('One', 'ann')
  await service.settle()
  const group = `/Groups/${actor.idOf('One')}`
  const repeats: Record<string, () => unknown> = {
    'adding a member twice': () => actor.add('One', 'ann'),
    'adding a member twice in one request': async () => {
      const twice = {
        op: 'Add',
        path: 'members',
        value: [actor.idOf('ann'), actor.idOf('ann')].map(asMember),
      }
      t.equal((await service.scim('PATCH', group, patchBody(twice, twice))).status, 204)
    },
    'replacing the members by the same': async () => {
      const same = patchBody({ op: 'replace', path: 'members', value: [asMember(actor.idOf('ann'))] })
      t.equal((await service.scim('PATCH', group, same)).status, 204)
    },
    'removing one who is no member': () => actor.remove('One', 'bob'),
    'removing from an empty group': () => actor.remove('Two', 'ann', 'bob'),
    'renaming to the same name': () => actor.rename('One', 'One'),
    'setting active to what it is': () => actor.active('ann', true),
    'setting a name to what it is': () => actor.changeUser('ann', 'displayName', 'ann'),
  }
  for (const [message, act] of Object.entries(repeats)) {
    const before = [await actor.getGroup('One'), await actor.getGroup('Two'), await actor.getUser('ann')]
    const calls = await callsDuring(service, () => step(t, service, message, act))
    t.strictSame(calls, { writes: [], reads: 0 }, `${message}: no call`)
    const after = [await actor.getGroup('One'), await actor.getGroup('Two'), await actor.getUser('ann')]
    t.strictSame(after, before, `${message}: no change, not of a version either`)
  }

  await actor.deleteGroup('Two')
  const calls = await callsDuring(service, async () => {
    t.equal((await service.scim('DELETE', `/Groups/${actor.idOf('Two')}`)).status, 404)
  })
  t.strictSame(calls, { writes: [], reads: 0 }, 'deleting a group twice')

  const atResync = await callsDuring(service, () => service.resync())
  t.strictSame(atResync.writes, [], 'a resync that finds nothing writes nothing')
})

const asMember = (value: string) => ({ $ref: null, value })

t.test('the order in which requests arrive makes no difference', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  for (const group of ['One', 'Two', 'Three']) await actor.createGroup(group)
  type Act = readonly ['add' | 'remove', string]
  const orders: Act[][] = [
    [
      ['add', 'One'],
      ['add', 'Two'],
      ['remove', 'One'],
      ['add', 'Three'],
    ],
    [
      ['add', 'One'],
      ['remove', 'One'],
      ['add', 'Two'],
      ['add', 'Three'],
    ],
    [
      ['remove', 'One'],
      ['add', 'Two'],
      ['add', 'Three'],
    ],
    [
      ['add', 'Two'],
      ['add', 'One'],
      ['add', 'Three'],
      ['remove', 'One'],
    ],
    [
      ['add', 'Three'],
      ['remove', 'Three'],
      ['add', 'Two'],
      ['add', 'Three'],
    ],
  ]
  for (const [index, order] of orders.entries()) {
    for (const settling of [true, false]) {
      const name = `user-${index}-${settling}`
      await actor.createUser(name)
      for (const [act, group] of order) {
        if (settling) await service.settle()
        await actor[act](group, name)
      }
      await service.settle()
      t.strictSame(service.accounts()[emailOf(name)], ['Two', 'Three'], JSON.stringify({ order, settling }))
    }
  }
})

t.test('parallel requests about one group and one user lose nothing', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  const names = Array.from({ length: 12 }, (_, index) => `user-${index}`)
  for (const group of ['One', 'Two', 'Three']) await actor.createGroup(group)
  for (const name of names) await actor.createUser(name)
  await Promise.all(names.flatMap((name) => ['One', 'Two', 'Three'].map((group) => actor.add(group, name))))
  await service.settle()
  for (const name of names) {
    t.strictSame([...(service.accounts()[emailOf(name)] ?? [])].sort(), ['One', 'Three', 'Two'], name)
  }
  await Promise.all(names.flatMap((name) => ['One', 'Three'].map((group) => actor.remove(group, name))))
  await service.settle()
  t.strictSame(service.accounts(), Object.fromEntries(names.map((name) => [emailOf(name), ['Two']])))
  t.strictSame(service.sandbox.state.overlappingWrites(), [])
})
