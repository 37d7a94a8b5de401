import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  GROUP_SCHEMA,
  groupBody,
  PATCH_SCHEMA,
  patchBody,
  USER_SCHEMA,
  userBody,
} from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { callsDuring, entra, isScimError, PLACEHOLDER } from './setup.ts'

const roles = [PLACEHOLDER, 'Agents', 'Analyst']

/** The tenant holds ann, member of Agents. */
async function populated(t: Test) {
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  return { service, actor, user: `/Users/${actor.idOf('ann')}`, group: `/Groups/${actor.idOf('Agents')}` }
}

/** Whatever `act` sends, the directory and Campaign Manager are as they were. */
async function unchanged(t: Test, service: TestService, act: () => unknown): Promise<void> {
  const lists = async () => [
    (await service.scim('GET', '/Users')).body,
    (await service.scim('GET', '/Groups')).body,
  ]
  const before = await lists()
  const calls = await callsDuring(service, act)
  t.strictSame(await lists(), before, 'nothing of it was applied, no version changed')
  t.strictSame(calls, { writes: [], reads: 0 }, 'Campaign Manager heard nothing of it')
}

t.test('bodies that are no SCIM message', async (t) => {
  const { service, user, group } = await populated(t)
  const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`
  const wide = `{"schemas":["${USER_SCHEMA}"],"userName":"big@example.com","title":"${'x'.repeat(20_000_000)}"}`
  const bodies: Record<string, [string, number, string?]> = {
    'no JSON': ['{"schemas":', 400, 'invalidSyntax'],
    'text after it': ['{} {}', 400, 'invalidSyntax'],
    nothing: ['', 400, 'invalidSyntax'],
    'an array': ['[]', 400, 'invalidSyntax'],
    'a string': ['"ann"', 400, 'invalidSyntax'],
    'a number': ['1', 400, 'invalidSyntax'],
    null: ['null', 400, 'invalidSyntax'],
    'an object without schemas': ['{}', 400, 'invalidSyntax'],
    'empty schemas': ['{"schemas":[],"userName":"x","displayName":"Analyst"}', 400, 'invalidSyntax'],
    'too deep': [deep, 400, 'invalidSyntax'],
    'too deep, in arrays': [`{"schemas":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400, 'invalidSyntax'],
    'too large': [wide, 413],
  }
  const targets = [
    ['POST', '/Users'],
    ['POST', '/Groups'],
    ['PUT', user],
    ['PUT', group],
    ['PATCH', user],
    ['PATCH', group],
  ] as const
  await unchanged(t, service, async () => {
    for (const [name, [body, status, scimType]] of Object.entries(bodies)) {
      for (const [method, path] of targets) {
        const answer = await service.scim(method, path, body)
        isScimError(t, answer, { status, ...(scimType && { scimType }) }, `${name}: ${method} ${path}`)
      }
    }
  })
})

t.test('PATCH messages that are none', async (t) => {
  const { service, user, group } = await populated(t)
  const rename = { op: 'replace', path: 'displayName', value: 'Analyst' }
  const bodies: Record<string, [object, string]> = {
    "another message's schema": [{ schemas: [USER_SCHEMA], Operations: [rename] }, 'invalidSyntax'],
    'no Operations': [{ schemas: [PATCH_SCHEMA] }, 'invalidSyntax'],
    'empty Operations': [patchBody(), 'invalidSyntax'],
    'Operations that are an object': [{ schemas: [PATCH_SCHEMA], Operations: rename }, 'invalidSyntax'],
    'an operation that is a string': [{ schemas: [PATCH_SCHEMA], Operations: ['x'] }, 'invalidSyntax'],
    'no op': [patchBody({ path: 'displayName', value: 'Analyst' }), 'invalidSyntax'],
    'an unknown op': [patchBody({ ...rename, op: 'move' }), 'invalidSyntax'],
    'a path that does not parse': [patchBody({ ...rename, path: 'display name[' }), 'invalidPath'],
    'a path into the prototype': [patchBody({ ...rename, path: '__proto__.polluted' }), 'invalidPath'],
    'remove without a path': [patchBody({ op: 'remove' }), 'noTarget'],
    'a read-only attribute': [patchBody({ op: 'replace', path: 'id', value: 'x' }), 'mutability'],
  }
  await unchanged(t, service, async () => {
    for (const [name, [body, scimType]] of Object.entries(bodies)) {
      for (const path of [user, group]) {
        isScimError(t, await service.scim('PATCH', path, body), { status: 400, scimType }, `${name}: ${path}`)
      }
    }
  })
})

t.test('unknown and malformed ids', async (t) => {
  const { service } = await populated(t)
  const ids = [
    randomUUID(),
    'x',
    '0',
    '%00',
    `${randomUUID()}%00`,
    'x'.repeat(150),
    'x'.repeat(5000),
    "1'%20or%20'1'='1",
    encodeURIComponent("'; drop table resource; --"),
    encodeURIComponent('../Groups'),
    encodeURIComponent('{"a":1}'),
    '%F0%9F%98%80',
    'undefined',
    '__proto__',
  ]
  await unchanged(t, service, async () => {
    for (const id of ids) {
      for (const [path, body] of [
        [`/Users/${id}`, userBody('x')],
        [`/Groups/${id}`, groupBody('Analyst')],
      ] as const) {
        const patch = patchBody({ op: 'replace', path: 'externalId', value: 'x' })
        const shown = decodeURIComponent(path).slice(0, 60)
        isScimError(t, await service.scim('GET', path), { status: 404 }, `GET ${shown}`)
        isScimError(t, await service.scim('PUT', path, body), { status: 404 }, `PUT ${shown}`)
        isScimError(t, await service.scim('PATCH', path, patch), { status: 404 }, `PATCH ${shown}`)
        isScimError(t, await service.scim('DELETE', path), { status: 404 }, `DELETE ${shown}`)
      }
    }
    for (const path of ['/Nothing', '/Users/x/y', '/users/%zz', '/Groups/%ff']) {
      const answer = await service.scim('GET', path)
      t.ok([400, 404].includes(answer.status), path)
      isScimError(t, answer, { status: answer.status, scimType: answer.body.scimType }, path)
    }
  })
})

t.test('filters that do not parse say where', async (t) => {
  const { service } = await populated(t)
  const filters = [
    'userName',
    'userName eq',
    'userName eq "ann',
    'userName is "ann"',
    'userName eq "a" and',
    '(userName eq "a"',
    'userName eq "a")',
    'userName eq "a" userName eq "b"',
    'emails[type eq "work"',
    'not userName eq "a"',
    'active gt true',
    '"a" eq userName',
    "userName eq 'ann'",
    `${'('.repeat(3000)}userName eq "a"${')'.repeat(3000)}`,
  ]
  for (const filter of filters) {
    const answer = await service.scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)
    const detail = /(position|character|column|offset|at)\D{0,12}\d+|deep|nest|long/i
    isScimError(t, answer, { status: 400, scimType: 'invalidFilter', detail }, filter.slice(0, 40))
  }
  const empty = await service.scim('GET', '/Groups?filter=displayName+eq')
  isScimError(t, empty, { status: 400, scimType: 'invalidFilter' })
  const nul = await service.scim('GET', `/Users?filter=${encodeURIComponent('userName eq "a\\u0000b"')}`)
  t.ok(
    nul.status === 200 ? nul.body.totalResults === 0 : nul.status === 400,
    `NUL in a filter: ${nul.status}`,
  )
})

t.test('answers have one media type, and requests one of two', async (t) => {
  const { service, user, group } = await populated(t)
  for (const path of [
    '/Users',
    '/Groups',
    user,
    group,
    '/Schemas',
    '/ResourceTypes',
    '/ServiceProviderConfig',
  ]) {
    const answer = await service.scim('GET', path)
    t.equal(answer.status, 200, path)
    t.equal(answer.headers.get('content-type'), 'application/scim+json', path)
  }
  for (const type of ['application/json', 'application/scim+json', 'Application/SCIM+JSON; charset=UTF-8']) {
    const name = `made-by-${type.length}`
    const answer = await service.scim('POST', '/Users', userBody(name), { 'content-type': type })
    t.equal(answer.status, 201, type)
    t.equal(answer.headers.get('content-type'), 'application/scim+json', type)
    t.equal(answer.headers.get('location'), answer.body.meta.location, type)
  }
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) {
    const answer = await service.scim('POST', '/Users', userBody('x'), { 'content-type': type })
    isScimError(t, answer, { status: 415 }, type)
  }
  isScimError(t, await service.scim('GET', '/Users', undefined, { authorization: 'Bearer x' }), {
    status: 401,
  })
  isScimError(t, await service.scim('POST', '/Groups', { schemas: [GROUP_SCHEMA] }), {
    status: 400,
    scimType: 'invalidValue',
    detail: /displayName/,
  })
})
