import t from 'tap'
import { patchBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { account, emailOf, entra, isScimError, PLACEHOLDER, step, userNameOf } from './setup.ts'

const roles = [PLACEHOLDER, 'One', 'Two', 'Three']

t.test('a member is looked up by id, then by userName, then by work e-mail', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('One')
  const work = (value: string) => [{ value, type: 'work', primary: true }]
  await actor.createUser('ann', { userName: 'shared@example.com' })
  await actor.createUser('bob', { emails: work('shared@example.com') })
  await actor.createUser('cid', {
    emails: [...work(emailOf('cid')), { value: 'cid@home.example.com', type: 'home' }],
  })
  await actor.createUser('dot', { userName: actor.idOf('ann') })
  await actor.createUser('eve')
  await service.settle()
  const send = (op: string, value: string) =>
    service.scim(
      'PATCH',
      `/Groups/${actor.idOf('One')}`,
      patchBody({ op, path: 'members', value: [{ value }] }),
    )
  const add = (value: string) => send('Add', value)

  await step(t, service, 'userName before e-mail', () => add('shared@example.com'), { ann: ['One'] })
  await step(t, service, 'the same, out again', () => send('Remove', 'shared@example.com'), { ann: 'gone' })
  await step(t, service, 'id before userName', () => add(actor.idOf('ann')), { ann: account('ann', ['One']) })
  await step(t, service, 'userName in another case', () => add(userNameOf('EVE')), { eve: ['One'] })
  await step(t, service, 'work e-mail in another case', () => add('CID@EXAMPLE.COM'), { cid: ['One'] })
  await step(t, service, 'that member by id: already there', () => add(actor.idOf('cid')))
  await step(t, service, 'no other e-mail counts', async () => {
    const answer = await add('CID@home.example.com')
    isScimError(t, answer, { status: 400, scimType: 'invalidValue', detail: /CID@home\.example\.com/ })
  })
})

t.test('the shapes in which clients change members', async (t) => {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  for (const group of ['One', 'Two', 'Three']) await actor.createGroup(group)
  for (const name of ['ann', 'bob', 'cid']) {
    await actor.createUser(name)
    await actor.add('Three', name)
  }
  await service.settle()
  const [ann, bob, cid] = ['ann', 'bob', 'cid'].map(actor.idOf)
  const group = 'urn:ietf:params:scim:schemas:core:2.0:Group'
  const shapes: [string, object[], ('ann' | 'bob' | 'cid')[]][] = [
    ['one as an object', [{ op: 'add', path: 'members', value: { value: ann } }], ['ann']],
    ['one as a string', [{ op: 'add', path: 'members', value: bob }], ['ann', 'bob']],
    ['without a path', [{ op: 'Add', value: { members: [{ value: cid }] } }], ['ann', 'bob', 'cid']],
    ['replaced by another list', [{ op: 'replace', path: 'members', value: [{ value: bob }] }], ['bob']],
    [
      'one in, one out',
      [
        { op: 'add', path: 'members', value: [{ value: ann }] },
        { op: 'remove', path: `members[value eq "${bob}"]` },
      ],
      ['ann'],
    ],
    [
      'several operations, one member each',
      [bob, cid].map((value) => ({ op: 'Add', path: 'members', value: [{ value }] })),
      ['ann', 'bob', 'cid'],
    ],
    [
      'a full path, any case',
      [{ op: 'REMOVE', path: `${group}:Members[Value Eq "${cid}"]` }],
      ['ann', 'bob'],
    ],
    [
      'by userName in a list',
      [{ op: 'add', path: 'members', value: [{ value: userNameOf('cid') }] }],
      ['ann', 'bob', 'cid'],
    ],
    [
      'by userName in a path',
      [{ op: 'remove', path: `members[value eq "${userNameOf('cid')}"]` }],
      ['ann', 'bob'],
    ],
    [
      'by e-mail in a list',
      [{ op: 'Add', path: 'members', value: [{ value: emailOf('cid') }] }],
      ['ann', 'bob', 'cid'],
    ],
    [
      'by e-mail in a list, to be removed',
      [{ op: 'Remove', path: 'members', value: [{ value: emailOf('cid') }] }],
      ['ann', 'bob'],
    ],
    ['all of them', [{ op: 'remove', path: 'members' }], []],
  ]
  let members: string[] = []
  for (const [message, operations, expected] of shapes) {
    const changed = ['ann', 'bob', 'cid'].filter(
      (name) => members.includes(name) !== expected.some((each) => each === name),
    )
    const changes = changed.map((name) => [name, members.includes(name) ? ['Three'] : ['Three', 'One']])
    const act = async () => {
      const answer = await service.scim('PATCH', `/Groups/${actor.idOf('One')}`, patchBody(...operations))
      t.equal(answer.status, 204, `${message}: ${answer.body?.detail}`)
      t.equal(answer.body, undefined)
    }
    await step(t, service, message, act, Object.fromEntries(changes))
    members = expected
  }
})
