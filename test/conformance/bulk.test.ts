import t from 'tap'
import type { Answer, ScimRequest } from '../support/scim-client.ts'
import {
  type Body,
  BULK_REQUEST,
  BULK_RESPONSE,
  ENTERPRISE,
  found,
  group,
  makeGroup,
  makeUser,
  patch,
  refused,
  startConformance,
  UNKNOWN_ID,
  USER,
  user,
} from './setup.ts'

const { url, tenant } = await startConformance(t)

const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error'
const MAX_OPERATIONS = 1000
const MAX_PAYLOAD_SIZE = 1_048_576

const bulkBody = (operations: readonly object[], more: object = {}): object => ({
  schemas: [BULK_REQUEST],
  ...more,
  Operations: operations,
})
const post = (path: string, bulkId: string, data: object) => ({ method: 'POST', path, bulkId, data })
const statuses = ({ body }: Answer): string[] => (body?.Operations ?? []).map(({ status }: Body) => status)
const idAt = ({ body }: Answer, index: number): string =>
  body?.Operations?.[index]?.location?.split('/').at(-1) ?? 'none'
const managedBy = (name: string, manager: string): object =>
  user(name, { schemas: [USER, ENTERPRISE], [ENTERPRISE]: { manager: { value: manager } } })

t.test('RFC 7644 §3.7 (46): bulk', async (t) => {
  const send = (scim: ScimRequest, operations: readonly object[], more: object = {}) =>
    scim('POST', '/Bulk', bulkBody(operations, more))

  await t.test('its limits are published', async (t) => {
    const scim = await tenant()
    const { bulk } = (await scim('GET', '/ServiceProviderConfig')).body
    t.strictSame(bulk, { supported: true, maxOperations: MAX_OPERATIONS, maxPayloadSize: MAX_PAYLOAD_SIZE })
  })

  await t.test('every method, answered in the order of the request', async (t) => {
    const scim = await tenant()
    const [put, patched, deleted] = [
      await makeUser(t, scim, 'r46-put'),
      await makeUser(t, scim, 'r46-patch'),
      await makeUser(t, scim, 'r46-delete'),
    ]
    const answer = await send(scim, [
      { method: 'DELETE', path: `/Users/${deleted.id}` },
      post('/Users', 'new', user('r46-new')),
      {
        method: 'PATCH',
        path: `/Users/${patched.id}`,
        data: patch({ op: 'replace', path: 'title', value: 'x' }),
      },
      post('/Users', 'duplicate', user('r46-put')),
      { method: 'PUT', path: `/Users/${put.id}`, data: user('r46-put', { title: 'y' }) },
      { method: 'DELETE', path: `/Users/${UNKNOWN_ID}` },
      post('/Groups', 'role', group('Role 1')),
    ])
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), 'application/scim+json')
    t.strictSame(answer.body.schemas, [BULK_RESPONSE])
    const operations: Body[] = answer.body.Operations ?? []
    t.strictSame(
      operations.map(({ method, status }) => `${method} ${status}`),
      ['DELETE 204', 'POST 201', 'PATCH 200', 'POST 409', 'PUT 200', 'DELETE 404', 'POST 201'],
      'each with its own status, a string; an error does not stop the rest',
    )
    t.strictSame(
      operations.map(({ bulkId }) => bulkId),
      [undefined, 'new', undefined, 'duplicate', undefined, undefined, 'role'],
    )
    t.equal(operations[3]?.location, undefined, 'what was not created is nowhere')
    t.match(operations[3]?.response, { schemas: [ERROR], status: '409', scimType: 'uniqueness' })
    t.match(operations[5]?.response, { schemas: [ERROR], status: '404' })
    for (const index of [1, 2, 4, 6]) {
      const { location, version } = operations[index] ?? {}
      t.match(location, `${url}/scim/v2/`)
      const { body } = await scim('GET', location?.split('/scim/v2')[1] ?? '/none')
      t.equal(body.meta?.location, location)
      if (version !== undefined) t.equal(version, body.meta.version, 'the version is the ETag')
    }
    t.match(operations[0]?.location, `/Users/${deleted.id}`)
    t.match(operations[5]?.location, `/Users/${UNKNOWN_ID}`, 'only a failed POST has none')
    t.strictSame(await found(scim, 'userName sw "r46-"'), ['r46-new', 'r46-patch', 'r46-put'])
    t.match((await scim('GET', `/Users/${put.id}`)).body, { title: 'y' })
  })

  await t.test('a bulkId stands for the id, wherever it is', async (t) => {
    const scim = await tenant()
    // RFC 7644 §3.7.2, the group before its member.
    const answer = await send(scim, [
      post('/Groups', 'ytrewq', {
        ...group('Role 2'),
        members: [{ type: 'User', value: 'bulkId:qwerty' }],
      }),
      post('/Users', 'under', managedBy('r46-under', 'bulkId:qwerty')),
      post('/Users', 'qwerty', user('r46-alice')),
      {
        method: 'PATCH',
        path: '/Users/bulkId:qwerty',
        data: patch({ op: 'replace', path: 'title', value: 'Lead' }),
      },
      {
        method: 'PATCH',
        path: '/Groups/bulkId:ytrewq',
        data: patch({ op: 'add', path: 'members', value: [{ value: 'bulkId:under' }] }),
      },
    ])
    t.equal(answer.status, 200)
    t.strictSame(statuses(answer).slice(0, 4), ['201', '201', '201', '200'])
    t.ok(['200', '204'].includes(statuses(answer)[4] ?? ''))
    const [role, under, alice] = [0, 1, 2].map((index) => idAt(answer, index))
    const made = await scim('GET', `/Groups/${role}`)
    const members: Body[] = made.body.members ?? []
    t.strictSame(members.map(({ value }) => value).sort(), [alice, under].sort(), 'forward references')
    t.equal((await scim('GET', `/Users/${under}`)).body[ENTERPRISE]?.manager?.value, alice, 'in an extension')
    t.equal((await scim('GET', `/Users/${alice}`)).body.title, 'Lead', 'in a path')
    t.notMatch(JSON.stringify((await scim('GET', '/Users')).body), 'bulkId:', 'none of it is kept')
  })

  await t.test('people who manage each other are created; groups within each other are not', async (t) => {
    const scim = await tenant()
    const answer = await send(scim, [
      post('/Users', 'a', managedBy('r46-a', 'bulkId:b')),
      post('/Users', 'b', managedBy('r46-b', 'bulkId:c')),
      post('/Users', 'c', managedBy('r46-c', 'bulkId:a')),
    ])
    t.strictSame(statuses(answer), ['201', '201', '201'])
    const ids = [0, 1, 2].map((index) => idAt(answer, index))
    for (const [index, id] of ids.entries()) {
      const { body } = await scim('GET', `/Users/${id}`)
      t.equal(body[ENTERPRISE]?.manager?.value, ids[(index + 1) % 3], `${body.userName} knows the next one`)
    }
    // RFC 7644 §3.7.1, whose circle is of groups: roles do not nest.
    const groups = await send(scim, [
      post('/Groups', 'qwerty', { ...group('Role 3'), members: [{ type: 'Group', value: 'bulkId:ytrewq' }] }),
      post('/Groups', 'ytrewq', { ...group('Role 4'), members: [{ type: 'Group', value: 'bulkId:qwerty' }] }),
    ])
    t.equal(groups.status, 200)
    t.strictSame(statuses(groups), ['409', '409'])
    t.equal((await scim('GET', '/Groups')).body.totalResults, 0)
  })

  await t.test('a reference to what failed is 409, to what is not there 400', async (t) => {
    const scim = await tenant()
    await makeUser(t, scim, 'r46-taken')
    const role = await makeGroup(t, scim, 'Role 5')
    const join = (member: string) => ({
      method: 'PATCH',
      path: `/Groups/${role.id}`,
      data: patch({ op: 'add', path: 'members', value: [{ value: member }] }),
    })
    const answer = await send(scim, [
      post('/Groups', 'group', { ...group('Role 6'), members: [{ value: 'bulkId:taken' }] }),
      post('/Users', 'taken', user('r46-taken')),
      join('bulkId:taken'),
      { method: 'DELETE', path: '/Users/bulkId:taken' },
      join('bulkId:nowhere'),
      post('/Users', 'lost', managedBy('r46-lost', 'bulkId:nowhere')),
      post('/Users', 'fine', user('r46-fine')),
      join('bulkId:fine'),
    ])
    t.equal(answer.status, 200)
    t.strictSame(statuses(answer).slice(0, 7), ['409', '409', '409', '409', '400', '400', '201'])
    t.ok(['200', '204'].includes(statuses(answer)[7] ?? ''))
    for (const index of [4, 5])
      t.match(answer.body?.Operations?.[index]?.response, { scimType: 'invalidValue' })
    t.equal((await scim('GET', '/Groups')).body.totalResults, 1)
    t.strictSame(await found(scim, 'userName sw "r46-"'), ['r46-fine', 'r46-taken'])
    const members: Body[] = (await scim('GET', `/Groups/${role.id}`)).body.members ?? []
    t.strictSame(
      members.map(({ value }) => value),
      [idAt(answer, 6)],
    )
  })

  await t.test('failOnErrors is how many errors it takes to stop', async (t) => {
    const scim = await tenant()
    await makeUser(t, scim, 'r46-taken')
    const operations = (run: string) => [
      post('/Users', 'one', user(`r46-${run}-one`)),
      post('/Users', 'bad', user('r46-taken')),
      post('/Users', 'two', user(`r46-${run}-two`)),
      post('/Users', 'worse', { schemas: [USER] }),
      post('/Users', 'three', user(`r46-${run}-three`)),
    ]
    const all = ['201', '409', '201', '400', '201']
    for (const [run, more, done] of [
      ['default', {}, 5],
      ['1', { failOnErrors: 1 }, 2],
      ['2', { failOnErrors: 2 }, 4],
      ['3', { failOnErrors: 3 }, 5],
    ] as const) {
      const answer = await send(scim, operations(run), more)
      t.equal(answer.status, 200, `failOnErrors ${run}`)
      t.strictSame(statuses(answer), all.slice(0, done), `failOnErrors ${run}: what was done`)
      const created = ['one', 'two', 'three'].slice(
        0,
        all.slice(0, done).filter((each) => each === '201').length,
      )
      t.strictSame(
        await found(scim, `userName sw "r46-${run}-"`),
        created.map((name) => `r46-${run}-${name}`).sort(),
      )
    }
  })

  await t.test('what is no bulk request, or no operation', async (t) => {
    const scim = await tenant()
    const operation = post('/Users', 'a', user('r46-x'))
    for (const [what, body] of Object.entries({
      'no schemas': { Operations: [operation] },
      'schemas of something else': { schemas: [USER], Operations: [operation] },
      'no operations': { schemas: [BULK_REQUEST] },
      'operations that are no list': { schemas: [BULK_REQUEST], Operations: operation },
      'a list': [operation],
    })) {
      refused(t, await scim('POST', '/Bulk', body), 400, 'invalidSyntax', what)
    }
    const { bulkId: _, ...withoutBulkId } = operation
    for (const [what, wrong] of Object.entries({
      'a POST without a bulkId': withoutBulkId,
      'a POST without data': { method: 'POST', path: '/Users', bulkId: 'a' },
      'no path': { method: 'POST', bulkId: 'a', data: user('r46-x') },
      'no method': { path: '/Users', bulkId: 'a', data: user('r46-x') },
      'a method that is none of bulk’s': { method: 'GET', path: '/Users' },
      'a POST to one resource': post(`/Users/${UNKNOWN_ID}`, 'a', user('r46-x')),
      'an endpoint that is none': post('/Nothing', 'a', user('r46-x')),
      'bulk within bulk': post('/Bulk', 'a', bulkBody([operation])),
    })) {
      const answer = await send(scim, [wrong])
      const status = answer.status === 200 ? statuses(answer)[0] : String(answer.status)
      t.match(status, /^4\d\d$/, `${what}: refused, as a whole or by itself`)
    }
    t.equal((await scim('GET', '/Users')).body.totalResults, 0, 'nothing of it was done')
    const { status } = await scim('GET', '/Bulk')
    t.equal(status, 405)
  })

  await t.test('the version of an operation is its If-Match', async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'r46-version')
    const path = `/Users/${ann.id}`
    const retitle = (version: string, value: string) => ({
      method: 'PATCH',
      path,
      version,
      data: patch({ op: 'replace', path: 'title', value }),
    })
    const answer = await send(scim, [
      retitle('W/"stale"', 'stale'),
      retitle(ann.meta.version, 'fresh'),
      { method: 'DELETE', path, version: ann.meta.version },
    ])
    t.strictSame(statuses(answer), ['412', '200', '412'])
    t.equal((await scim('GET', path)).body.title, 'fresh')
  })

  await t.test('more than its limits is 413 that names the limit', async (t) => {
    const scim = await tenant()
    const operations = (count: number) =>
      Array.from({ length: count }, () => ({ method: 'DELETE', path: '/Users/x' }))
    const most = await send(scim, operations(MAX_OPERATIONS), { failOnErrors: 1 })
    t.equal(most.status, 200, 'as many as allowed')
    t.strictSame(statuses(most), ['404'], 'and the first error stopped it')
    const tooMany = await send(scim, operations(MAX_OPERATIONS + 1), { failOnErrors: 1 })
    refused(t, tooMany, 413, undefined, 'one more')
    t.match(tooMany.body.detail, /maxOperations.*1,?000/)

    const body = JSON.stringify(bulkBody([post('/Users', 'big', user('r46-big'))]))
    const padded = (size: number) => body + ' '.repeat(size - body.length)
    const large = await scim('POST', '/Bulk', padded(MAX_PAYLOAD_SIZE))
    t.equal(large.status, 200, 'as large as allowed')
    t.strictSame(statuses(large), ['201'])
    const tooLarge = await scim('POST', '/Bulk', padded(MAX_PAYLOAD_SIZE + 1))
    refused(t, tooLarge, 413, undefined, 'one byte more')
    t.match(tooLarge.body.detail, /maxPayloadSize.*1,?048,?576/)
  })
})
