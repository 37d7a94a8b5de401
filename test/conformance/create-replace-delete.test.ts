import t from 'tap'
import {
  ENTERPRISE,
  found,
  GROUP,
  group,
  makeGroup,
  makeUser,
  patch,
  query,
  refused,
  startConformance,
  UNKNOWN_ID,
  USER,
  user,
} from './setup.ts'

const { tenant } = await startConformance(t)

t.test('RFC 7644 §3.3 (22): read-only attributes in a POST are ignored; 201 with Location', async (t) => {
  const scim = await tenant()
  const readOnly = {
    id: UNKNOWN_ID,
    meta: {
      resourceType: 'User',
      created: '2001-01-01T00:00:00Z',
      lastModified: '2001-01-01T00:00:00Z',
      location: 'https://evil.example/Users/1',
      version: 'W/"forged"',
    },
  }
  const posted = await scim(
    'POST',
    '/Users',
    user('r22', {
      ...readOnly,
      schemas: [USER, ENTERPRISE],
      groups: [{ value: UNKNOWN_ID, display: 'Administrators' }],
      [ENTERPRISE]: { manager: { value: UNKNOWN_ID, displayName: 'The Boss' } },
    }),
  )
  t.equal(posted.status, 201)
  t.equal(posted.headers.get('content-type'), 'application/scim+json')
  const { id, meta } = posted.body
  t.type(id, 'string')
  t.not(id, UNKNOWN_ID)
  t.ok(Date.parse(meta.created) > Date.parse('2020-01-01T00:00:00Z'), 'created is the server’s')
  t.not(meta.version, 'W/"forged"')
  t.equal(posted.body.groups, undefined, 'in no group')
  t.equal(posted.body[ENTERPRISE]?.manager?.displayName, undefined, 'manager.displayName is read-only')
  t.match(meta.location, RegExp(`^http://.*/scim/v2/Users/${id}$`))
  t.equal(posted.headers.get('location'), meta.location)
  const followed = await scim('GET', meta.location.split('/scim/v2')[1])
  t.strictSame(followed.body, posted.body, 'the location leads to what was answered')
  t.equal((await scim('GET', `/Users/${UNKNOWN_ID}`)).status, 404)

  const role = await scim('POST', '/Groups', { ...group('Role 1', id), ...readOnly })
  t.equal(role.status, 201)
  t.not(role.body.id, UNKNOWN_ID)
  t.match(role.headers.get('location'), RegExp(`/scim/v2/Groups/${role.body.id}$`))
  t.equal(role.headers.get('location'), role.body.meta.location)
})

t.test('RFC 7644 §3.3, §3.12 (23): a duplicate is 409 uniqueness and changes nothing', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r23-ann', { externalId: 'same' })
  const bob = await makeUser(t, scim, 'r23-bob')
  const path = `/Users/${bob.id}`
  const userName = 'R23-ANN@Example.com'
  refused(t, await scim('POST', '/Users', user('r23-ann')), 409, 'uniqueness', 'the same userName')
  refused(t, await scim('POST', '/Users', user('x', { userName })), 409, 'uniqueness', 'in another case')
  refused(t, await scim('PUT', path, user('x', { userName })), 409, 'uniqueness', 'PUT')
  const rename = patch(
    { op: 'replace', path: 'title', value: 'changed' },
    { op: 'replace', path: 'userName', value: userName },
  )
  refused(t, await scim('PATCH', path, rename), 409, 'uniqueness', 'PATCH')
  refused(
    t,
    await scim('PATCH', path, patch({ op: 'replace', value: { userName } })),
    409,
    'uniqueness',
    'PATCH without a path',
  )
  t.strictSame((await scim('GET', path)).body, bob, 'nothing of it was applied')
  t.equal((await scim('GET', '/Users')).body.totalResults, 2)
  const recased = patch({ op: 'replace', path: 'userName', value: userName })
  t.equal((await scim('PATCH', `/Users/${ann.id}`, recased)).status, 200, 'nobody is a duplicate of himself')

  const third = await scim('POST', '/Users', user('r23-eve', { externalId: 'same' }))
  t.equal(third.status, 201, 'externalId is not unique')
  t.strictSame(await found(scim, 'externalId eq "same"'), ['R23-ANN', 'r23-eve'])

  await makeGroup(t, scim, 'Role 2')
  const other = await makeGroup(t, scim, 'Role 3')
  refused(t, await scim('POST', '/Groups', group('Role 2')), 409, 'uniqueness', 'the same displayName')
  refused(t, await scim('POST', '/Groups', group('rOLE 2')), 409, 'uniqueness', 'displayName in another case')
  refused(t, await scim('PUT', `/Groups/${other.id}`, group('Role 2')), 409, 'uniqueness', 'PUT of a group')
  const renamed = patch({ op: 'replace', path: 'displayName', value: 'role 2' })
  refused(t, await scim('PATCH', `/Groups/${other.id}`, renamed), 409, 'uniqueness', 'PATCH of a group')
  t.strictSame((await scim('GET', `/Groups/${other.id}`)).body, other)
})

t.test('RFC 7644 §3.3.1 (24): the server says what type a resource is', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r24', { meta: { resourceType: 'Group' } })
  t.equal(ann.meta.resourceType, 'User', 'whatever the client says')
  const bob = await makeUser(t, scim, 'r24-without')
  t.equal(bob.meta.resourceType, 'User')
  const role = (await scim('POST', '/Groups', { ...group('Role 4'), meta: { resourceType: 'User' } })).body
  t.equal(role.meta.resourceType, 'Group')
  const replaced = await scim('PUT', `/Users/${ann.id}`, user('r24', { meta: { resourceType: 'Group' } }))
  t.equal(replaced.body.meta.resourceType, 'User')
  for (const [endpoint, type] of [
    ['/Users', 'User'],
    ['/Groups', 'Group'],
  ] as const) {
    for (const each of (await scim('GET', endpoint)).body.Resources) t.equal(each.meta.resourceType, type)
  }
})

t.test('RFC 7644 §3.5.1 (25): PUT replaces what is there and creates nothing', async (t) => {
  const scim = await tenant()
  const unknown = `/Users/${UNKNOWN_ID}`
  refused(t, await scim('PUT', unknown, user('r25-new', { id: UNKNOWN_ID })), 404, undefined, 'PUT unknown')
  refused(t, await scim('PUT', `/Groups/${UNKNOWN_ID}`, group('Role 5')), 404, undefined, 'PUT unknown group')
  t.equal((await scim('GET', '/Users')).body.totalResults, 0)
  t.equal((await scim('GET', '/Groups')).body.totalResults, 0)

  const ann = await makeUser(t, scim, 'r25-ann', {
    schemas: [USER, ENTERPRISE],
    title: 'Lead',
    nickName: 'A',
    name: { givenName: 'Ann', familyName: 'Adams' },
    emails: [{ type: 'work', value: 'ann@example.com' }],
    [ENTERPRISE]: { department: 'Sales' },
  })
  const path = `/Users/${ann.id}`
  const replaced = await scim(
    'PUT',
    path,
    user('r25-ann', {
      id: UNKNOWN_ID,
      meta: { created: '2001-01-01T00:00:00Z', version: 'W/"0"' },
      groups: [{ value: UNKNOWN_ID }],
      title: 'Boss',
      name: { familyName: 'Baker' },
    }),
  )
  t.equal(replaced.status, 200, 'read-only attributes are ignored, id too')
  t.equal(replaced.body.id, ann.id)
  t.equal(replaced.body.meta.created, ann.meta.created)
  t.equal(replaced.body.title, 'Boss')
  t.strictSame(replaced.body.name, { familyName: 'Baker' }, 'replaced, not merged')
  for (const gone of ['nickName', 'emails', 'groups', ENTERPRISE])
    t.equal(replaced.body[gone], undefined, gone)
  t.strictSame((await scim('GET', path)).body, replaced.body, 'the answer is the whole resource')

  for (const [what, body] of Object.entries({
    'no userName': { schemas: [USER], title: 'x' },
    'userName null': { schemas: [USER], userName: null },
    'userName ""': { schemas: [USER], userName: '' },
  })) {
    refused(t, await scim('PUT', path, body), 400, 'invalidValue', what)
  }
  t.strictSame((await scim('GET', path)).body, replaced.body, 'a refused PUT changes nothing')

  const bob = await makeUser(t, scim, 'r25-bob')
  const role = await makeGroup(t, scim, 'Role 6', ann.id)
  const put = await scim('PUT', `/Groups/${role.id}`, group('Role 6', bob.id))
  t.equal(put.status, 200)
  t.strictSame(
    put.body.members.map(({ value }: { value: string }) => value),
    [bob.id],
    'members too are replaced',
  )
  refused(
    t,
    await scim('PUT', `/Groups/${role.id}`, { schemas: [GROUP] }),
    400,
    'invalidValue',
    'no displayName',
  )
  const emptied = await scim('PUT', `/Groups/${role.id}`, group('Role 6'))
  t.strictSame(emptied.body.members ?? [], [])
  refused(t, await scim('PUT', '/Users', user('r25-collection')), 405, undefined, 'PUT of the collection')
})

t.test('RFC 7644 §3.6 (26): after a DELETE the resource is nowhere', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r26-ann')
  const bob = await makeUser(t, scim, 'r26-bob')
  const role = await makeGroup(t, scim, 'Role 7', ann.id, bob.id)
  for (const [path, body] of [
    [`/Users/${ann.id}`, user('r26-ann')],
    [`/Groups/${role.id}`, group('Role 7')],
  ] as const) {
    const deleted = await scim('DELETE', path)
    t.equal(deleted.status, 204)
    t.equal(deleted.body, undefined, 'no body')
    if (path.startsWith('/Users')) {
      const { members } = (await scim('GET', `/Groups/${role.id}`)).body
      t.strictSame(
        members.map(({ value }: { value: string }) => value),
        [bob.id],
        'no member any more',
      )
    }
    refused(t, await scim('GET', path), 404, undefined, 'GET')
    refused(t, await scim('GET', `${path}?attributes=id`), 404, undefined, 'GET of the id')
    refused(t, await scim('PUT', path, body), 404, undefined, 'PUT')
    const change = patch({ op: 'replace', path: 'externalId', value: 'x' })
    refused(t, await scim('PATCH', path, change), 404, undefined, 'PATCH')
    refused(t, await scim('DELETE', path), 404, undefined, 'DELETE')
  }
  t.strictSame(await found(scim, 'userName sw "r26"'), ['r26-bob'])
  t.strictSame(await found(scim, `id eq "${ann.id}"`), [])
  t.equal((await scim('GET', '/Users')).body.totalResults, 1)
  t.equal((await scim('GET', '/Groups')).body.totalResults, 0)
  t.equal(
    (await scim('GET', `/Users/${bob.id}`)).body.groups,
    undefined,
    'the group is gone from its members',
  )

  const again = await makeUser(t, scim, 'r26-ann')
  t.not(again.id, ann.id, 'the name is free, the id is not given again')
  const roleAgain = await makeGroup(t, scim, 'Role 7')
  t.not(roleAgain.id, role.id)
  t.strictSame(roleAgain.members ?? [], [], 'members do not come back')
  const member = await scim(
    'PATCH',
    `/Groups/${roleAgain.id}`,
    patch({ op: 'add', path: 'members', value: [{ value: ann.id }] }),
  )
  refused(t, member, 400, 'invalidValue', 'nobody deleted becomes a member')
})

t.test('RFC 7644 §3.4.1, §3.12 (27): an unknown id is 404, however malformed', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r27')
  const hostile = [`${ann.id}x`, '\u0000', '%']
  const ids = [
    UNKNOWN_ID,
    'x',
    '0',
    '-1',
    '999999999999999999999',
    ...hostile,
    ann.id.slice(0, -1),
    `{${ann.id}}`,
    ann.id.replaceAll('-', ''),
    ` ${ann.id}`,
    "' or 1=1 --",
    'r27@example.com',
    'null',
    'ünïcödé😀',
    'a/b',
    'x'.repeat(3000),
  ]
  for (const endpoint of ['/Users', '/Groups']) {
    const body = endpoint === '/Users' ? user('r27-other') : group('Role 8')
    for (const id of ids) {
      const path = `${endpoint}/${encodeURIComponent(id)}`
      const what = `${endpoint}/${id.slice(0, 50)}`
      refused(t, await scim('GET', path), 404, undefined, `GET ${what}`)
      if (!ids.slice(0, 2).includes(id) && !hostile.includes(id)) continue
      refused(t, await scim('PUT', path, body), 404, undefined, `PUT ${what}`)
      const change = patch({ op: 'replace', path: 'externalId', value: 'x' })
      refused(t, await scim('PATCH', path, change), 404, undefined, `PATCH ${what}`)
      refused(t, await scim('DELETE', path), 404, undefined, `DELETE ${what}`)
    }
    refused(t, await scim('GET', `${endpoint}/%E0%A4%A`), 400, undefined, 'not even properly encoded')
  }
  refused(t, await scim('GET', `/Groups/${ann.id}`), 404, undefined, 'a user is no group')
  t.equal((await scim('GET', `/Users/${ann.id}`)).status, 200)
})

t.test('RFC 7643 §2.5 (28): unassigned, null and [] are one', async (t) => {
  const scim = await tenant()
  const values = {
    schemas: [USER, ENTERPRISE],
    title: 'Lead',
    name: { givenName: 'Ann', familyName: 'Adams' },
    emails: [{ type: 'work', value: 'ann@example.com' }],
    addresses: [{ type: 'work', locality: 'Pune' }],
    [ENTERPRISE]: { department: 'Sales', manager: { value: UNKNOWN_ID } },
  }
  const attributes = ['title', 'name', 'emails', 'addresses', ENTERPRISE] as const
  const all = (value: unknown) => Object.fromEntries(attributes.map((attribute) => [attribute, value]))

  const posted = await scim('POST', '/Users', user('r28-null', { schemas: [USER, ENTERPRISE], ...all(null) }))
  t.equal(posted.status, 201, 'POST of nulls')
  for (const attribute of attributes) t.notOk(attribute in posted.body, `${attribute}: null is absent`)
  t.notMatch(JSON.stringify(posted.body), /:null/, 'nor is a null answered')
  const lists = { emails: [], addresses: [], phoneNumbers: [], roles: [], title: '' }
  const empty = await scim('POST', '/Users', user('r28-empty', lists))
  t.equal(empty.status, 201, 'POST of empty lists')
  for (const attribute of Object.keys(lists)) {
    t.notOk(empty.body[attribute]?.length, `${attribute} has no value`)
    t.strictSame(await found(scim, `${attribute} pr`), [], `${attribute} is not present`)
  }
  const parts = await makeUser(t, scim, 'r28-parts', { name: { givenName: null, familyName: 'Adams' } })
  t.strictSame(parts.name, { familyName: 'Adams' }, 'a part as well')

  const ann = await makeUser(t, scim, 'r28-put', values)
  const put = await scim('PUT', `/Users/${ann.id}`, user('r28-put', { ...values, ...all(null) }))
  t.equal(put.status, 200)
  for (const attribute of attributes) t.notOk(attribute in put.body, `PUT of null clears ${attribute}`)

  const bob = await makeUser(t, scim, 'r28-patch', values)
  const path = `/Users/${bob.id}`
  for (const [attribute, value] of [
    ['title', null],
    ['emails', []],
    ['addresses', null],
    ['name.givenName', ''],
    ['name.familyName', null],
    [`${ENTERPRISE}:department`, ''],
    [`${ENTERPRISE}:manager`, null],
  ] as const) {
    const patched = await scim('PATCH', path, patch({ op: 'replace', path: attribute, value }))
    t.equal(patched.status, 200, `replace ${attribute} by ${JSON.stringify(value)}`)
    t.strictSame(await found(scim, `${attribute} pr and userName sw "r28-patch"`), [], `${attribute} is gone`)
  }
  const cleared = (await scim('GET', path)).body
  for (const attribute of attributes) t.notOk(attribute in cleared, `${attribute}: nothing of it is left`)

  for (const userName of [null, '', []]) {
    const what = `userName ${JSON.stringify(userName)}`
    refused(t, await scim('POST', '/Users', user('x', { userName })), 400, 'invalidValue', `POST ${what}`)
    const change = patch({ op: 'replace', path: 'userName', value: userName })
    refused(t, await scim('PATCH', path, change), 400, 'invalidValue', `PATCH ${what}`)
  }
  const role = await makeGroup(t, scim, 'Role 9', ann.id)
  const clear = patch({ op: 'replace', path: 'members', value: [] })
  t.equal((await scim('PATCH', `/Groups/${role.id}`, clear)).status, 204)
  t.strictSame((await scim('GET', `/Groups/${role.id}`)).body.members ?? [], [], 'replaced by nobody')
  t.equal((await scim('GET', `/Groups${query({ filter: 'members pr' })}`)).body.totalResults, 0)
})
