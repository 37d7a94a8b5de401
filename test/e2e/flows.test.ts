import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { startTestService, type TestService } from '../support/service.ts'
import {
  account,
  callsDuring,
  type Dialect,
  entra,
  found,
  isScimError,
  type Naming,
  PLACEHOLDER,
  step,
} from './setup.ts'

const roles = [
  PLACEHOLDER,
  ...'Alpha,Beta,Gamma,Delta,Epsilon,Zeta,Eta,Theta,Iota,Kappa,Lambda,Mu'.split(','),
  'Set by hand',
]

type Actor = ReturnType<typeof entra>

/** Each name in each dialect is in member-values.test.ts. */
const wordings: [Dialect, Naming][] = [
  ['without the flag', 'id'],
  ['with the flag', 'id'],
  ['without the flag', 'userName'],
  ['with the flag', 'e-mail'],
]

for (const [dialect, naming] of wordings) {
  t.test(`${dialect}, members by ${naming}`, async (t) => {
    const service = await startTestService(t, { roles })
    for (const [name, flow] of Object.entries(flows)) {
      await t.test(name, (t) => flow(t, service, entra(t, service, dialect, naming)))
    }
    t.strictSame(service.sandbox.state.overlappingWrites(), [])
  })
}

type Flow = (t: Test, service: TestService, actor: Actor) => Promise<void>

const flows: Record<string, Flow> = {
  async '1 group assigned to the app'(t, service, actor) {
    await step(
      t,
      service,
      'each person is created with only the placeholder',
      async () => {
        for (const name of ['a1', 'a2', 'a3']) {
          t.strictSame(await actor.findUser(name), [])
          await actor.createUser(name)
        }
      },
      {
        a1: account('a1', [PLACEHOLDER]),
        a2: account('a2', [PLACEHOLDER]),
        a3: account('a3', [PLACEHOLDER]),
      },
    )
    await step(t, service, 'an empty group changes no account', async () => {
      t.strictSame(await actor.findGroup('Alpha'), [])
      await actor.createGroup('Alpha')
      t.strictSame((await actor.getGroup('Alpha')).members ?? [], [])
      t.strictSame(await actor.findGroup('Alpha'), [actor.idOf('Alpha')])
    })
    const act = () => actor.add('Alpha', 'a1', 'a2')
    await step(t, service, 'its role replaces the placeholder', act, { a1: ['Alpha'], a2: ['Alpha'] })
    const { members } = await actor.getGroup('Alpha')
    const values = members.map(({ value }: { value: string }) => value)
    t.strictSame(values.sort(), [actor.idOf('a1'), actor.idOf('a2')].sort(), 'members are shown by id')
  },

  async '2 group unassigned from the app'(t, service, actor) {
    for (const name of ['b1', 'b2', 'b3', 'b4']) await actor.createUser(name)
    for (const name of ['Beta', 'Gamma']) await actor.createGroup(name)
    await actor.add('Gamma', 'b3')
    await actor.add('Beta', 'b1', 'b2', 'b3')
    await actor.add('Gamma', 'b2')
    const setUp = { b1: account('b1', ['Beta']), b2: account('b2', ['Beta', 'Gamma']) }
    await step(t, service, 'set up', () => {}, {
      ...setUp,
      b3: account('b3', ['Gamma', 'Beta']),
      b4: account('b4', [PLACEHOLDER]),
    })
    await step(t, service, 'active:false has no effect on the accounts', async () => {
      for (const name of ['b1', 'b2', 'b3']) {
        t.equal((await actor.active(name, false)).body.active, false)
        t.match(await actor.getUser(name), { id: actor.idOf(name), active: false })
      }
      await actor.checkGroup('Beta')
    })
    await step(
      t,
      service,
      'who had only this role loses the account, others only the role',
      () => actor.deleteGroup('Beta'),
      { b1: 'gone', b2: ['Gamma'], b3: ['Gamma'] },
    )
    isScimError(t, await service.scim('GET', `/Groups/${actor.idOf('Beta')}`), { status: 404 })
    t.match(await actor.getUser('b1'), { id: actor.idOf('b1'), active: false })
    t.strictSame(await actor.findUser('b1'), [actor.idOf('b1')])
  },

  async '3 user unassigned from a group'(t, service, actor) {
    for (const name of ['c1', 'c2', 'c3']) await actor.createUser(name)
    for (const name of ['Delta', 'Epsilon']) await actor.createGroup(name)
    await actor.add('Delta', 'c1', 'c2', 'c3')
    await actor.add('Epsilon', 'c2')
    await service.settle()
    await step(t, service, 'active:false has no effect on the accounts', async () => {
      for (const name of ['c1', 'c2']) {
        t.strictSame(await actor.findUser(name), [actor.idOf(name)])
        await actor.active(name, false)
      }
      await actor.checkGroup('Delta')
    })
    await step(t, service, 'other roles stay', () => actor.remove('Delta', 'c2'), { c2: ['Epsilon'] })
    await step(t, service, 'the only role', () => actor.remove('Delta', 'c1'), { c1: 'gone' })
    t.strictSame(
      (await actor.getGroup('Delta')).members.map(({ value }: { value: string }) => value),
      [actor.idOf('c3')],
    )
    const act = () => actor.remove('Delta', 'c3', 'c1')
    await step(t, service, 'one request, a member and one who left', act, { c3: 'gone' })
  },

  async '4 new user in an existing group'(t, service, actor) {
    for (const name of ['d1', 'd2']) await actor.createUser(name)
    for (const name of ['Zeta', 'Eta']) await actor.createGroup(name)
    await actor.add('Zeta', 'd1')
    await actor.add('Eta', 'd2')
    await service.settle()
    await step(
      t,
      service,
      'created with the placeholder',
      async () => {
        t.strictSame(await actor.findUser('d3'), [])
        await actor.createUser('d3')
      },
      { d3: account('d3', [PLACEHOLDER]) },
    )
    await step(t, service, 'placeholder replaced', () => actor.add('Zeta', 'd3'), { d3: ['Zeta'] })
    await step(t, service, 'appended', () => actor.add('Zeta', 'd2'), { d2: ['Eta', 'Zeta'] })
  },

  async '5 second group with overlapping users'(t, service, actor) {
    for (const name of ['e1', 'e2', 'e3']) await actor.createUser(name)
    await actor.createGroup('Theta')
    await actor.add('Theta', 'e1', 'e2', 'e3')
    await service.settle()
    await step(
      t,
      service,
      'known people are found, new ones created',
      async () => {
        t.strictSame(await actor.findUser('e2'), [actor.idOf('e2')])
        await actor.createUser('e4')
        await actor.createGroup('Iota')
      },
      { e4: account('e4', [PLACEHOLDER]) },
    )
    await step(
      t,
      service,
      'appended to the old, instead of the placeholder for the new',
      () => actor.add('Iota', 'e2', 'e3', 'e4'),
      { e2: ['Theta', 'Iota'], e3: ['Theta', 'Iota'], e4: ['Iota'] },
    )
    const act = () => actor.remove('Iota', 'e2', 'e4')
    await step(t, service, 'and back', act, { e2: ['Theta'], e4: 'gone' })
  },

  async '6 second group with completely new users'(t, service, actor) {
    await actor.createUser('f1')
    await actor.createGroup('Kappa')
    await actor.add('Kappa', 'f1')
    await service.settle()
    await step(
      t,
      service,
      'in one go, before anything was reconciled',
      async () => {
        for (const name of ['f2', 'f3']) await actor.createUser(name)
        await actor.createGroup('Lambda')
        await actor.add('Lambda', 'f2', 'f3')
      },
      { f2: account('f2', ['Lambda']), f3: account('f3', ['Lambda']) },
    )
  },

  async '7 setup: Test Connection'(t, service) {
    const guid = randomUUID()
    const paths = [
      `/Users?filter=userName+eq+%22${guid}%22`,
      `/Users?filter=externalId+eq+%22${guid}%22`,
      `/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22${guid}%22`,
      `/Groups?excludedAttributes=members&filter=displayName+eq+%22${guid}%22`,
      `/Groups?filter=externalId+eq+%22${guid}%22`,
    ]
    for (const path of paths) {
      const calls = await callsDuring(service, async () => {
        const answer = await service.scim('GET', path)
        t.equal(answer.status, 200, path)
        t.equal(answer.headers.get('content-type'), 'application/scim+json')
        t.strictSame(found(t, answer), [])
        t.equal(answer.body.totalResults, 0)
      })
      t.strictSame(calls, { writes: [], reads: 0 }, 'Campaign Manager hears nothing of it')
    }
  },

  async 'a member value that matches nobody is named, and nothing of the request is applied'(
    t,
    service,
    actor,
  ) {
    for (const name of ['g1', 'g2']) await actor.createUser(name)
    await actor.createGroup('Mu')
    await actor.add('Mu', 'g1')
    await service.settle()
    const before = await actor.getGroup('Mu')
    for (const unknown of [randomUUID(), 'nobody@example.com', 'x']) {
      await step(t, service, 'no account changes', async () => {
        const answer = await service.scim('PATCH', `/Groups/${actor.idOf('Mu')}`, {
          schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
          Operations: [
            { op: 'Add', path: 'members', value: [{ value: actor.idOf('g2') }, { value: unknown }] },
            { op: 'Remove', path: 'members', value: [{ value: actor.idOf('g1') }] },
          ],
        })
        isScimError(t, answer, { status: 400, scimType: 'invalidValue', detail: new RegExp(unknown) })
        t.strictSame(await actor.getGroup('Mu'), before)
      })
    }
  },
}
