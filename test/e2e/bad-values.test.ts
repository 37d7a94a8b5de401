import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { GROUP_SCHEMA, groupBody, patchBody, USER_SCHEMA, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { callsDuring, dialects, entra, isScimError, PLACEHOLDER, userNameOf } from './setup.ts'

/** The tenant holds ann and bob; ann is a member of Agents. `unchanged` sends and sees that nothing was applied. */
async function populated(t: Test) {
  const service = await startTestService(t, { roles: [PLACEHOLDER, 'Agents', 'Analyst'] })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await actor.add('Agents', 'ann')
  await service.settle()
  const user = `/Users/${actor.idOf('ann')}`
  const group = `/Groups/${actor.idOf('Agents')}`
  const lists = async () => [
    (await service.scim('GET', '/Users')).body,
    (await service.scim('GET', '/Groups')).body,
  ]
  async function unchanged(t: Test, act: () => unknown): Promise<void> {
    const before = await lists()
    const calls = await callsDuring(service, act)
    t.strictSame(await lists(), before, 'nothing of it was applied, no version changed')
    t.strictSame(calls, { writes: [], reads: 0 }, 'Campaign Manager heard nothing of it')
  }
  return { ...service, actor, user, group, unchanged }
}

t.test('values that no attribute takes', async (t) => {
  const { scim, user, group, unchanged } = await populated(t)
  const invalid = { status: 400, scimType: 'invalidValue' }
  const users: Record<string, [object, RegExp]> = {
    'no userName': [{ userName: undefined }, /userName/],
    'an empty userName': [{ userName: '' }, /userName/],
    'userName null': [{ userName: null }, /userName/],
    'userName of another type': [{ userName: { a: 1 } }, /userName/],
    'active that is no Boolean': [{ active: 'perhaps' }, /active/],
    'a name that is a string': [{ name: 'Ann' }, /name/],
    'an e-mail of another type': [{ emails: [{ value: 1, type: 'work' }] }, /emails/],
    'NUL in userName': [{ userName: 'a\u0000b@example.com' }, /userName/],
    'NUL in displayName': [{ displayName: 'a\u0000b' }, /displayName/],
    'NUL within name': [{ name: { givenName: '\u0000' } }, /givenName/],
    'NUL in an e-mail': [{ emails: [{ value: 'a\u0000@example.com' }] }, /emails|value/],
    'NUL in externalId': [{ externalId: '\u0000' }, /externalId/],
  }
  await unchanged(t, async () => {
    for (const [name, [change, detail]] of Object.entries(users)) {
      const body = userBody('cid', change)
      isScimError(t, await scim('POST', '/Users', body), { ...invalid, detail }, `POST: ${name}`)
      isScimError(t, await scim('PUT', user, body), { ...invalid, detail }, `PUT: ${name}`)
      const [[path = '', value] = []] = Object.entries(change)
      if (value === undefined) continue
      const patches = Object.values(dialects).map(({ replace }) => replace(path, value))
      for (const patch of patches) {
        isScimError(t, await scim('PATCH', user, patch), { ...invalid, detail }, `PATCH: ${name}`)
      }
    }
    const groups: Record<string, [object, RegExp]> = {
      'no displayName': [{ displayName: undefined }, /displayName/],
      'an empty displayName': [{ displayName: '' }, /displayName/],
      'NUL in displayName': [{ displayName: 'Agents\u0000' }, /displayName/],
      'NUL in a member': [{ members: [{ value: '\u0000' }] }, /members|value/],
    }
    for (const [name, [change, detail]] of Object.entries(groups)) {
      const body = groupBody('Analyst', change)
      isScimError(t, await scim('POST', '/Groups', body), { ...invalid, detail }, `POST: ${name}`)
      isScimError(t, await scim('PUT', group, body), { ...invalid, detail }, `PUT: ${name}`)
    }
    const add = patchBody({ op: 'Add', path: 'members', value: [{ value: 'a\u0000' }] })
    isScimError(t, await scim('PATCH', group, add), invalid, 'PATCH: NUL in a member')
    const clear = patchBody({ op: 'remove', path: 'displayName' })
    t.equal((await scim('PATCH', group, clear)).status, 400, 'a required attribute is not removed')
  })
})

t.test('an unknown member', async (t) => {
  const { scim, group, actor, unchanged } = await populated(t)
  await unchanged(t, async () => {
    for (const unknown of [
      randomUUID(),
      'nobody@example.com',
      "'; drop table member; --",
      'x'.repeat(2000),
    ]) {
      const detail = new RegExp(unknown.slice(0, 40).replace(/[^\w@-]/g, '.'))
      const expected = { status: 400, scimType: 'invalidValue', detail }
      const values = [actor.idOf('bob'), unknown]
      const members = values.map((value) => ({ value }))
      for (const [name, { add }] of Object.entries(dialects)) {
        isScimError(t, await scim('PATCH', group, add(...values)), expected, name)
      }
      const replace = patchBody({ op: 'replace', path: 'members', value: members })
      isScimError(t, await scim('PATCH', group, replace), expected, 'replace')
      const pathless = patchBody({ op: 'add', value: { members } })
      isScimError(t, await scim('PATCH', group, pathless), expected, 'without a path')
      const put = { schemas: [GROUP_SCHEMA], displayName: 'Agents', members }
      isScimError(t, await scim('PUT', group, put), expected, 'PUT')
      isScimError(t, await scim('POST', '/Groups', groupBody('Analyst', { members })), expected, 'POST')
    }
  })
})

t.test('a userName that is taken, in any case', async (t) => {
  const { scim, user, unchanged } = await populated(t)
  const conflict = { status: 409, scimType: 'uniqueness' }
  await unchanged(t, async () => {
    for (const userName of [userNameOf('bob'), userNameOf('bob').toUpperCase(), userNameOf('Bob')]) {
      isScimError(
        t,
        await scim('POST', '/Users', userBody('cid', { userName })),
        conflict,
        `POST ${userName}`,
      )
      isScimError(t, await scim('PUT', user, userBody('ann', { userName })), conflict, `PUT ${userName}`)
      for (const { replace } of Object.values(dialects)) {
        isScimError(
          t,
          await scim('PATCH', user, replace('userName', userName)),
          conflict,
          `PATCH ${userName}`,
        )
      }
    }
  })
  const own = await scim(
    'PATCH',
    user,
    dialects['without the flag'].replace('userName', 'ANN@login.example.com'),
  )
  t.match(
    own,
    { status: 200, body: { userName: 'ANN@login.example.com' } },
    'its own, in another case, is free',
  )
})

t.test('of two parallel creations of one user, one is refused', async (t) => {
  const { scim } = await populated(t)
  const names = ['cid@example.com', 'CID@example.com', 'Cid@example.com', 'cID@example.com']
  const answers = await Promise.all(
    names.map((userName) => scim('POST', '/Users', userBody('cid', { userName }))),
  )
  t.strictSame(answers.map(({ status }) => status).sort(), [201, 409, 409, 409])
})

t.test('one failing operation leaves the whole as it was', async (t) => {
  const { scim, user, group, actor, unchanged } = await populated(t)
  const title = { op: 'Replace', path: 'title', value: 'Boss' }
  const failing: Record<string, object> = {
    'an unknown op': { op: 'move', path: 'title', value: 'x' },
    'a path that does not parse': { op: 'replace', path: 'emails[', value: 'x' },
    'a read-only attribute': { op: 'replace', path: 'meta.created', value: '2020-01-01T00:00:00Z' },
    'a required one emptied': { op: 'replace', path: 'userName', value: '' },
    'a value of another type': { op: 'replace', path: 'active', value: 'perhaps' },
    'a filter that matches nothing': { op: 'replace', path: 'emails[value co "nobody"].type', value: 'home' },
  }
  await unchanged(t, async () => {
    for (const [name, operation] of Object.entries(failing)) {
      const off = { op: 'Replace', path: 'active', value: 'False' }
      for (const body of [patchBody(title, off, operation), patchBody(operation, off, title)]) {
        const answer = await scim('PATCH', user, body)
        isScimError(t, answer, { status: 400, scimType: answer.body?.scimType }, name)
      }
    }
    const bob = { op: 'Add', path: 'members', value: [{ value: actor.idOf('bob') }] }
    const ann = { op: 'Remove', path: 'members', value: [{ value: actor.idOf('ann') }] }
    const refused: Record<string, object> = {
      'a name that is no role': { op: 'Replace', path: 'displayName', value: 'Nothing' },
      'no name': { op: 'Replace', path: 'displayName', value: '' },
      'an unknown member': { op: 'Add', path: 'members', value: [{ value: 'nobody' }] },
      'an unknown op': { op: 'move', path: 'members' },
    }
    for (const [name, operation] of Object.entries(refused)) {
      for (const body of [patchBody(bob, ann, operation), patchBody(operation, bob, ann)]) {
        const answer = await scim('PATCH', group, body)
        isScimError(t, answer, { status: 400, scimType: answer.body?.scimType }, name)
      }
    }
  })
})

t.test('keys that reach into prototypes', async (t) => {
  const { scim, user } = await populated(t)
  const before = Object.getOwnPropertyNames(Object.prototype)
  const raw = `{"schemas":["${USER_SCHEMA}"],"userName":"evil@example.com","__proto__":{"polluted":true}}`
  isScimError(t, await scim('POST', '/Users', raw), { status: 400, scimType: 'invalidSyntax' })
  for (const key of ['__proto__.polluted', 'constructor.prototype.polluted', 'toString.polluted']) {
    const answer = await scim('PATCH', user, patchBody({ op: 'add', value: { [key]: true } }))
    t.ok(answer.status < 500, `${key}: ${answer.status}`)
    const withPath = await scim('PATCH', user, patchBody({ op: 'add', path: key, value: true }))
    isScimError(t, withPath, { status: 400, scimType: 'invalidPath' }, key)
  }
  t.strictSame(Object.getOwnPropertyNames(Object.prototype), before)
  t.notOk('polluted' in {} || 'polluted' in Object.prototype.toString)
})
