import t from 'tap'
import { equalResources, foldResource, readResource, renderResource } from '../../src/scim/resource.ts'
import { ENTERPRISE, GROUP, groupType, refusal, rfc, USER, userType } from './examples.ts'

const read = (attributes: object) => readResource(userType, { schemas: [USER], userName: 'b', ...attributes })
const others = (attributes: object) => {
  const { userName: _userName, ...rest } = read(attributes)
  return rest
}

t.test('RFC 7643 §8: the example resources are read whole, without what the server says', async (t) => {
  for (const name of ['rfc7643-8.2-user-full', 'rfc7643-8.3-enterprise_user']) {
    const { schemas: _s, id: _i, meta: _m, password: _p, groups: _g, ...expected } = rfc(name)
    const manager = (expected[ENTERPRISE] as { manager?: { displayName?: string } } | undefined)?.manager
    if (manager) delete manager.displayName
    t.strictSame(readResource(userType, rfc(name)), expected, name)
  }
  t.strictSame(readResource(groupType, rfc('rfc7643-8.4-group')), {
    displayName: 'Tour Guides',
    members: [
      { value: '2819c223-7f76-453a-919d-413861904646' },
      { value: '902c246b-6245-4190-8e05-00816be7344a' },
    ],
  })
})

t.test('RFC 7643 §3: schemas', async (t) => {
  const cases: readonly [body: unknown, message: string][] = [
    [undefined, 'the body must be a JSON object'],
    [[], 'the body must be a JSON object'],
    [{ userName: 'b' }, 'schemas must be a non-empty array'],
    [{ schemas: [], userName: 'b' }, 'schemas must be a non-empty array'],
    [{ schemas: USER, userName: 'b' }, 'schemas must be a non-empty array'],
    [{ schemas: [1], userName: 'b' }, 'schemas must be an array of strings'],
    [{ schemas: [USER, USER.toUpperCase()], userName: 'b' }, 'schemas names a schema twice'],
    [{ schemas: [GROUP], userName: 'b' }, `schemas must contain '${USER}'`],
    [{ schemas: [USER], Schemas: [GROUP], userName: 'b' }, 'schemas is given twice'],
  ]
  for (const [body, message] of cases) {
    t.throws(() => readResource(userType, body), refusal('invalidSyntax', message))
  }
  t.strictSame(readResource(userType, { SCHEMAS: ['urn:x', USER.toUpperCase()], userName: 'b' }), {
    userName: 'b',
  })
})

t.test('RFC 7644 §3.3: what nobody declares and what is read-only is ignored', async (t) => {
  const hostile = JSON.parse(
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x"}',
  )
  const ignored = {
    id: '1',
    meta: 'x',
    groups: [{ value: 'g' }],
    shoeSize: 3,
    'na me': 1,
    'urn:x:User': { a: 1 },
  }
  t.strictSame(others({ ...ignored, name: { nick: 'x', familyName: 'J' } }), { name: { familyName: 'J' } })
  t.strictSame(
    readResource(
      userType,
      Object.assign(JSON.parse(JSON.stringify({ schemas: [USER], userName: 'b' })), hostile),
    ),
    { userName: 'b' },
  )
  t.strictSame(others(hostile), {})
})

t.test('RFC 7643 §4.1.1: a password is taken and not kept', async (t) => {
  t.strictSame(others({ password: 't1meMa$heen' }), {})
})

t.test('RFC 7643 §2.1: names are case-insensitive, and may not conflict', async (t) => {
  t.strictSame(
    readResource(userType, { schemas: [USER], USERNAME: 'B', eMails: [{ VALUE: 'x', Type: 'work' }] }),
    {
      userName: 'B',
      emails: [{ value: 'x', type: 'work' }],
    },
  )
  t.strictSame(others({ title: 'x', TITLE: 'x', name: { givenName: 'B' }, 'NAME.givenname': 'B' }), {
    title: 'x',
    name: { givenName: 'B' },
  })
  t.throws(
    () => read({ title: 'x', TITLE: 'y' }),
    refusal('invalidSyntax', 'title is given twice, with different values'),
  )
  t.throws(
    () => read({ name: { givenName: 'x' }, 'name.givenName': 'y' }),
    refusal('invalidSyntax', 'name.givenName is given twice, with different values'),
  )
  t.throws(
    () => read({ emails: [{ value: 'x', Value: 'y' }] }),
    refusal('invalidSyntax', 'emails.value is given twice, with different values'),
  )
})

t.test('RFC 7644 §3.10: dotted and qualified names', async (t) => {
  t.strictSame(
    others({
      'name.familyName': 'J',
      name: { givenName: 'B' },
      [`${USER}:title`]: 'Guide',
      [`${ENTERPRISE}:department`]: 'Tours',
      [ENTERPRISE.toUpperCase()]: { costCenter: '1', 'manager.value': 'm' },
    }),
    {
      name: { familyName: 'J', givenName: 'B' },
      title: 'Guide',
      [ENTERPRISE]: { department: 'Tours', costCenter: '1', manager: { value: 'm' } },
    },
  )
})

t.test('RFC 7643 §2.5: null, "" and [] are unassigned', async (t) => {
  t.strictSame(
    others({
      title: '',
      nickName: null,
      emails: [],
      phoneNumbers: null,
      roles: '',
      name: { givenName: '' },
      [ENTERPRISE]: null,
    }),
    {},
  )
  t.strictSame(
    others({
      emails: [null, {}, { value: '' }, { type: 'work', value: null }, { value: 'x', display: null }],
    }),
    {
      emails: [{ value: 'x' }],
    },
  )
})

t.test('RFC 7643 §2.2: what is required must be there', async (t) => {
  for (const userName of [undefined, null, '', [], ' \t']) {
    t.throws(() => read({ userName }), refusal('invalidValue', 'userName is required'))
  }
  t.throws(
    () => readResource(groupType, { schemas: [GROUP] }),
    refusal('invalidValue', 'displayName is required'),
  )
})

t.test('RFC 7643 §2.3: types, and an error that names the attribute', async (t) => {
  const cases: readonly [attributes: object, message: string][] = [
    [{ userName: 5 }, 'userName must be of type string'],
    [{ userName: true }, 'userName must be of type string'],
    [{ title: { a: 1 } }, 'title must be of type string'],
    [{ title: ['x'] }, 'title must be of type string'],
    [{ externalId: 1 }, 'externalId must be of type string'],
    [{ active: 'yes' }, 'active must be of type Boolean: send true or false'],
    [{ active: 1 }, 'active must be of type Boolean: send true or false'],
    [{ name: 'Barbara' }, 'name must be of type complex: send an object'],
    [{ emails: [5] }, 'emails must be of type complex: send an object'],
    [{ emails: [{ value: 5 }] }, 'emails.value must be of type string'],
    [
      { emails: [{ value: 'x', primary: 'maybe' }] },
      'emails.primary must be of type Boolean: send true or false',
    ],
    [
      { x509Certificates: [{ value: '%' }] },
      'x509Certificates.value must be of type binary: send base64 text',
    ],
    [{ [ENTERPRISE]: 'x' }, `${ENTERPRISE} must be an object`],
    [{ [ENTERPRISE]: { manager: 5 } }, `${ENTERPRISE}:manager must be of type complex: send an object`],
    [
      { [ENTERPRISE]: { manager: ['a', 'b'] } },
      `${ENTERPRISE}:manager must be of type complex: send an object`,
    ],
  ]
  for (const [attributes, message] of cases)
    t.throws(() => read(attributes), refusal('invalidValue', message))
})

t.test('a text that the store cannot keep is refused, wherever it stands', async (t) => {
  const fault = 'contains U+0000 or half of a surrogate pair'
  t.throws(() => read({ userName: 'a\u0000' }), refusal('invalidValue', `userName ${fault}`))
  t.throws(() => read({ emails: [{ value: '\ud800' }] }), refusal('invalidValue', `emails.value ${fault}`))
  t.throws(() => read({ 'name.givenName': '\u0000' }), refusal('invalidValue', `name.givenName ${fault}`))
  t.throws(
    () => read({ userName: 'é'.repeat(1001) }),
    refusal('invalidValue', 'userName is longer than 2000 bytes'),
  )
  t.throws(
    () => read({ externalId: '\ufdfa'.repeat(100) }),
    refusal('invalidValue', 'externalId is longer than 2000 bytes'),
  )
})

t.test('Entra: Booleans as strings, for Boolean attributes only', async (t) => {
  for (const [sent, active] of [
    ['True', true],
    ['true', true],
    ['False', false],
    ['FALSE', false],
  ] as const) {
    t.strictSame(others({ active: sent, title: sent }), { active, title: sent })
  }
})

t.test('RFC 7643 §2.4: one primary, and no value of one type twice', async (t) => {
  t.throws(
    () =>
      read({
        emails: [
          { value: 'x', primary: true },
          { value: 'y', primary: 'True' },
        ],
      }),
    refusal('invalidValue', 'emails: more than one value is primary'),
  )
  t.strictSame(
    others({
      emails: [
        { value: 'x@y', type: 'work' },
        { value: 'X@y', type: 'Work', primary: true },
        { value: 'x@y', type: 'home' },
      ],
      addresses: [
        { type: 'work', country: 'DE' },
        { type: 'work', country: 'DE' },
        { type: 'work', country: 'FR' },
      ],
    }),
    {
      emails: [
        { value: 'X@y', type: 'Work', primary: true },
        { value: 'x@y', type: 'home' },
      ],
      addresses: [
        { type: 'work', country: 'DE' },
        { type: 'work', country: 'FR' },
      ],
    },
  )
  const many = Array.from({ length: 201 }, (_, index) => ({ value: `r${index}` }))
  t.throws(() => read({ roles: many }), refusal('invalidValue', 'roles has more than 200 values'))
})

t.test('RFC 7643 §4.2: members are read as references', async (t) => {
  const group = (members: unknown) => readResource(groupType, { schemas: [GROUP], displayName: 'G', members })
  t.strictSame(group([{ value: 'a', display: 'A', $ref: null, type: 'User' }, 'b', { Value: 'a' }]), {
    displayName: 'G',
    members: [{ value: 'a' }, { value: 'b' }],
  })
  t.strictSame(group([]), { displayName: 'G' })
  t.throws(
    () => group([{ display: 'x' }]),
    refusal('invalidValue', 'members.value must be a non-empty string'),
  )
})

const facts = {
  id: '1',
  created: '2026-01-01T00:00:00Z',
  lastModified: '2026-01-02T00:00:00Z',
  version: 'W/"1"',
  location: 'https://example.com/scim/v2/Users/1',
}

t.test('RFC 7643 §3: a rendered resource', async (t) => {
  const resource = {
    [ENTERPRISE]: { manager: { value: 'm' }, department: 'Tours' },
    emails: [{ type: 'work', value: 'x' }],
    password: 'secret',
    userName: 'b',
    groups: [{ value: 'g' }],
    externalId: 'e',
  }
  const rendered = renderResource(userType, { ...facts, resource })
  t.strictSame(rendered, {
    schemas: [USER, ENTERPRISE],
    id: '1',
    externalId: 'e',
    userName: 'b',
    emails: [{ value: 'x', type: 'work' }],
    groups: [{ value: 'g' }],
    [ENTERPRISE]: { department: 'Tours', manager: { value: 'm' } },
    meta: {
      resourceType: 'User',
      created: facts.created,
      lastModified: facts.lastModified,
      location: facts.location,
      version: facts.version,
    },
  })
  const order = ['schemas', 'id', 'externalId', 'userName', 'emails', 'groups', ENTERPRISE, 'meta']
  t.strictSame(Object.keys(rendered), order)
  const without = renderResource(userType, { ...facts, resource: { userName: 'b', [ENTERPRISE]: {} } })
  t.strictSame(without.schemas, [USER], 'only the extensions that are present')
})

t.test('RFC 7643 §2.2: folding touches what is compared without case, and nothing else', async (t) => {
  const resource = {
    externalId: 'Ext',
    userName: 'ＢJensen',
    active: true,
    emails: [{ value: 'A@B', type: 'Work', primary: true }],
    photos: [{ value: 'https://x/A' }],
    [ENTERPRISE]: { department: 'Tours', manager: { value: 'Id', displayName: 'Boss' } },
  }
  const copy = structuredClone(resource)
  t.strictSame(foldResource(userType, resource), {
    externalId: 'Ext',
    userName: 'bjensen',
    active: true,
    emails: [{ value: 'a@b', type: 'work', primary: true }],
    photos: [{ value: 'https://x/A' }],
    [ENTERPRISE]: { department: 'tours', manager: { value: 'Id', displayName: 'boss' } },
  })
  t.strictSame(resource, copy)
})

t.test('RFC 7644 §3.5.2.1: whether a change changed anything', async (t) => {
  const resource = { a: 1, b: [{ c: 'x', d: true }], e: null }
  t.ok(equalResources(resource, { e: null, b: [{ d: true, c: 'x' }], a: 1 }))
  for (const other of [
    {},
    { ...resource, a: 2 },
    { ...resource, b: [] },
    { ...resource, b: {} },
    { ...resource, f: 1 },
    { a: 1, b: [{ c: 'x', d: true }], g: null },
  ]) {
    t.notOk(equalResources(resource, other))
  }
})
