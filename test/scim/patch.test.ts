import t from 'tap'
import type { Resource } from '../../src/scim/attribute.ts'
import { applyPatch, parsePatch } from '../../src/scim/patch.ts'
import { ENTERPRISE, groupType, PATCH_OP, refusal, rfc, USER, userType } from './examples.ts'

const work = { value: 'w@example.com', type: 'work', primary: true }
const home = { value: 'h@example.com', type: 'home' }
const barbara: Resource = {
  userName: 'bjensen',
  title: 'Guide',
  name: { givenName: 'Barbara', familyName: 'Jensen' },
  emails: [work, home],
  [ENTERPRISE]: { department: 'Tours', manager: { value: 'm1', $ref: '../Users/m1' } },
}

const patch = (resource: Resource, ...Operations: object[]): Resource =>
  applyPatch(userType, resource, parsePatch(userType, { schemas: [PATCH_OP], Operations }))

t.test('RFC 7644 §3.5.2: the envelope', async (t) => {
  const op = { op: 'add', path: 'title', value: 'x' }
  const cases: readonly [body: unknown, message: string][] = [
    [null, 'the body must be a JSON object'],
    [{ Operations: [op] }, 'schemas must be a non-empty array'],
    [{ schemas: [USER], Operations: [op] }, `schemas must contain '${PATCH_OP}'`],
    [{ schemas: [PATCH_OP] }, 'Operations must be a non-empty array'],
    [{ schemas: [PATCH_OP], Operations: [] }, 'Operations must be a non-empty array'],
    [{ schemas: [PATCH_OP], Operations: op }, 'Operations must be a non-empty array'],
    [{ schemas: [PATCH_OP], Operations: ['x'] }, 'an operation must be a JSON object'],
    [{ schemas: [PATCH_OP], Operations: [{ path: 'title' }] }, "op must be 'add', 'replace' or 'remove'"],
    [
      { schemas: [PATCH_OP], Operations: [{ op: 'move', path: 'title' }] },
      "op must be 'add', 'replace' or 'remove'",
    ],
    [{ schemas: [PATCH_OP], Operations: [{ op: 'add', OP: 'remove' }] }, 'op is given twice'],
  ]
  for (const [body, message] of cases) {
    t.throws(() => parsePatch(userType, body), refusal('invalidSyntax', message))
  }
  const many = { schemas: [PATCH_OP], Operations: Array(1001).fill(op) }
  t.throws(() => parsePatch(userType, many), refusal('tooMany', 'more than 1000 operations'))
  const loose = {
    SCHEMAS: [PATCH_OP.toUpperCase()],
    operations: [{ OP: 'Replace', Path: 'TITLE', VALUE: 'x' }],
  }
  t.match(applyPatch(userType, barbara, parsePatch(userType, loose)), { title: 'x' })
})

t.test('RFC 7644 §3.5.2: paths that lead nowhere', async (t) => {
  const cases: readonly [path: unknown, message: string | RegExp][] = [
    ['shoeSize', "path 'shoeSize': User has no such attribute"],
    ['__proto__', "path '__proto__': User has no such attribute"],
    ['constructor.prototype', "path 'constructor.prototype': User has no such attribute"],
    ['toString', "path 'toString': User has no such attribute"],
    ['name.nick', "path 'name.nick': User has no such attribute"],
    ['emails[type eq "work"', `path 'emails[type eq "work"': character 22: expected ']', found the end`],
    [
      'emails[type eq "work"].size',
      `path 'emails[type eq "work"].size': character 23: 'emails' has no sub-attribute 'size'`,
    ],
    [
      'emails[type eq "work"] value',
      `path 'emails[type eq "work"] value': character 24: expected the end, found 'value'`,
    ],
    [
      'emails[size eq "x"]',
      `path 'emails[size eq "x"]': character 8: 'emails' has no attribute 'size' to filter by`,
    ],
    ['emails[]', "path 'emails[]': character 8: expected an attribute, found ']'"],
    ['emails[__proto__ eq "x"].value', /'emails' has no attribute '__proto__'/],
    ['name[givenName eq "x"]', /'name' does not have elements to choose from/],
    [5, 'path must be a string'],
  ]
  for (const [path, message] of cases) {
    t.throws(() => patch(barbara, { op: 'replace', path, value: 'x' }), refusal('invalidPath', message))
  }
})

t.test('RFC 7644 §3.5.2: atomic and in sequence', async (t) => {
  const before = structuredClone(barbara)
  t.throws(
    () =>
      patch(
        barbara,
        { op: 'replace', path: 'title', value: 'x' },
        { op: 'replace', path: 'active', value: 'maybe' },
      ),
    refusal('invalidValue', 'active must be of type Boolean: send true or false'),
  )
  t.strictSame(barbara, before)
  t.match(
    patch(
      barbara,
      { op: 'add', path: 'emails', value: [{ value: 'o@example.com', type: 'other' }] },
      { op: 'replace', path: 'emails[type eq "other"].display', value: 'Other' },
    ),
    { emails: [work, home, { value: 'o@example.com', type: 'other', display: 'Other' }] },
  )
})

t.test('RFC 7644 §3.5.2: read-only and required attributes', async (t) => {
  for (const path of [
    'id',
    'meta',
    'meta.version',
    'schemas',
    'groups',
    'groups[value eq "g"]',
    'groups.value',
  ]) {
    for (const op of ['add', 'replace', 'remove']) {
      t.throws(
        () => patch(barbara, { op, path, value: 'x' }),
        refusal('mutability', / is read-only$/),
        `${op} ${path}`,
      )
    }
  }
  t.throws(
    () => patch(barbara, { op: 'add', path: `${ENTERPRISE}:manager.displayName`, value: 'x' }),
    refusal('mutability', `${ENTERPRISE}:manager.displayName is read-only`),
  )
  t.throws(
    () => patch(barbara, { op: 'replace', value: { groups: [{ value: 'g' }] } }),
    refusal('mutability', 'groups is read-only'),
  )
  t.throws(
    () => patch(barbara, { op: 'remove', path: 'userName' }),
    refusal('mutability', 'userName is required and cannot be removed'),
  )
  for (const value of ['', null, []]) {
    t.throws(
      () => patch(barbara, { op: 'replace', path: 'userName', value }),
      refusal('invalidValue', 'userName is required'),
    )
  }
  t.throws(
    () =>
      applyPatch(
        groupType,
        { displayName: 'G' },
        parsePatch(groupType, { schemas: [PATCH_OP], Operations: [{ op: 'remove', path: 'displayName' }] }),
      ),
    refusal('mutability', 'displayName is required and cannot be removed'),
  )
  t.throws(
    () => patch(barbara, { op: 'remove', path: USER }),
    refusal('mutability', /cannot be removed as a whole/),
  )
})

t.test('RFC 7644 §3.5.2: what the server says itself is passed over without a path', async (t) => {
  const said = { id: '1', schemas: [USER], meta: { version: 'x' }, title: 'x', shoeSize: 4 }
  t.strictSame(patch(barbara, { op: 'replace', value: said }), { ...barbara, title: 'x' })
})

t.test('RFC 7643 §4.1.1: a password is taken and not kept', async (t) => {
  t.strictSame(
    patch(barbara, { op: 'replace', path: 'password', value: 'x' }, { op: 'add', value: { password: 'y' } }),
    barbara,
  )
})

t.test('RFC 7644 §3.5.2.1: add', async (t) => {
  t.match(
    patch(barbara, { op: 'add', path: 'title', value: 'x' }),
    { title: 'x' },
    'a single value is replaced',
  )
  t.strictSame(
    patch(barbara, { op: 'add', path: 'name', value: { middleName: 'Jane' } }).name,
    { givenName: 'Barbara', familyName: 'Jensen', middleName: 'Jane' },
    'a complex value is merged',
  )
  t.strictSame(
    patch(barbara, { op: 'add', path: 'emails', value: [home] }),
    barbara,
    'what exists is not added again',
  )
  t.strictSame(
    patch(barbara, { op: 'add', path: 'emails', value: [] }),
    barbara,
    'adding nothing changes nothing',
  )
  t.strictSame(
    patch(barbara, { op: 'add', path: 'emails', value: { value: 'n@example.com', primary: true } }).emails,
    [{ ...work, primary: false }, home, { value: 'n@example.com', primary: true }],
    'a new primary takes that from the old one',
  )
  t.strictSame(patch(barbara, { op: 'add', path: 'emails', value: [{ ...home, primary: true }] }).emails, [
    { ...work, primary: false },
    { ...home, primary: true },
  ])
  t.throws(() => patch(barbara, { op: 'add', path: 'title' }), refusal('invalidValue', 'add needs a value'))
})

t.test('RFC 7644 §3.5.2: an operation without a path', async (t) => {
  t.strictSame(
    patch(
      { userName: 'b' },
      {
        op: 'add',
        value: {
          nickname: 'Babs',
          'name.givenName': 'B',
          name: { familyName: 'J' },
          'emails[type eq "work"].value': 'w',
          [`${ENTERPRISE}:department`]: 'Tours',
          [ENTERPRISE]: { costCenter: '1' },
        },
      },
    ),
    {
      userName: 'b',
      nickName: 'Babs',
      name: { givenName: 'B', familyName: 'J' },
      emails: [{ type: 'work', value: 'w' }],
      [ENTERPRISE]: { department: 'Tours', costCenter: '1' },
    },
  )
  t.throws(
    () => patch(barbara, { op: 'replace', value: 'x' }),
    refusal('invalidValue', 'an operation without a path needs an object as its value'),
  )
})

t.test('RFC 7644 §3.5.2: the URN of a schema as the path', async (t) => {
  t.strictSame(
    patch(barbara, { op: 'replace', path: ENTERPRISE, value: { department: 'Sales' } })[ENTERPRISE],
    {
      department: 'Sales',
      manager: { value: 'm1', $ref: '../Users/m1' },
    },
  )
  const { [ENTERPRISE]: _gone, ...rest } = barbara
  t.strictSame(patch(barbara, { op: 'remove', path: ENTERPRISE }), rest)
  t.strictSame(patch(barbara, { op: 'replace', path: ENTERPRISE, value: null }), rest)
  t.strictSame(patch(barbara, { op: 'replace', value: { [ENTERPRISE]: null } }), rest)
  t.match(patch(barbara, { op: 'add', path: USER, value: { title: 'x' } }), { title: 'x' })
})

t.test('RFC 7644 §3.5.2.2: remove', async (t) => {
  t.throws(() => patch(barbara, { op: 'remove' }), refusal('noTarget', 'remove needs a path'))
  t.notOk('title' in patch(barbara, { op: 'remove', path: 'title' }))
  t.strictSame(patch(barbara, { op: 'remove', path: 'nickName' }), barbara)
  t.strictSame(patch(barbara, { op: 'remove', path: 'name.givenName' }).name, { familyName: 'Jensen' })
  t.notOk('name' in patch(barbara, { op: 'remove', path: 'name' }))
  t.notOk('emails' in patch(barbara, { op: 'remove', path: 'emails' }))
  t.strictSame(patch(barbara, { op: 'remove', path: 'emails[type eq "work"]' }).emails, [home])
  t.strictSame(patch(barbara, { op: 'remove', path: 'emails[type eq "none"]' }), barbara)
  t.strictSame(patch(barbara, { op: 'remove', path: 'emails[type eq "work"].primary' }).emails, [
    { value: work.value, type: 'work' },
    home,
  ])
  t.strictSame(
    patch(barbara, { op: 'remove', path: 'emails[type eq "work"].value' }).emails,
    [home],
    'no value, no e-mail',
  )
  t.strictSame(patch(barbara, { op: 'remove', path: 'emails', value: [{ value: 'H@example.com' }] }).emails, [
    work,
  ])
  t.strictSame(patch(barbara, { op: 'remove', path: 'emails', value: [{ ...home, type: 'other' }] }), barbara)
  t.strictSame(patch(barbara, { op: 'remove', path: 'emails.type' }).emails, [
    { value: work.value, primary: true },
    { value: home.value },
  ])
})

t.test('RFC 7644 §3.5.2.3: replace', async (t) => {
  t.strictSame(patch(barbara, { op: 'replace', path: 'emails', value: [home] }).emails, [home])
  t.match(
    patch(barbara, { op: 'replace', path: 'nickName', value: 'x' }),
    { nickName: 'x' },
    'what is absent is added',
  )
  t.strictSame(
    patch(barbara, { op: 'replace', path: 'name', value: { givenName: 'B' } }).name,
    { givenName: 'B', familyName: 'Jensen' },
    'parts that are not named stay',
  )
  t.strictSame(
    patch(barbara, { op: 'replace', path: 'emails[value ew "example.com"].display', value: 'x' }).emails,
    [
      { ...work, display: 'x' },
      { ...home, display: 'x' },
    ],
    'all that match',
  )
  t.strictSame(
    patch(barbara, { op: 'replace', path: 'emails.display', value: 'x' }).emails,
    [
      { ...work, display: 'x' },
      { ...home, display: 'x' },
    ],
    'without a filter, all',
  )
  t.strictSame(patch({ userName: 'b' }, { op: 'replace', path: 'emails.value', value: 'x' }).emails, [
    { value: 'x' },
  ])
  t.strictSame(
    patch(barbara, { op: 'replace', path: 'emails[type eq "work"]', value: { value: 'n', display: 'N' } })
      .emails,
    [{ ...work, value: 'n', display: 'N' }, home],
  )
  t.throws(
    () => patch(barbara, { op: 'replace', path: 'emails[type eq "work"]', value: [home, work] }),
    refusal('invalidValue', 'emails: a path with a filter takes one value'),
  )
  t.throws(
    () => patch(barbara, { op: 'replace', path: 'emails.primary', value: true }),
    refusal('invalidValue', 'emails: more than one value is primary'),
  )
  t.throws(
    () => patch(barbara, { op: 'replace', path: 'title' }),
    refusal('invalidValue', 'replace needs a value'),
  )
})

t.test('RFC 7644 §3.5.2.3: a filter that matches nothing', async (t) => {
  const created = (path: string, value: unknown) =>
    patch({ userName: 'b' }, { op: 'replace', path, value }).emails
  t.strictSame(created('emails[type eq "work"].value', 'x'), [{ type: 'work', value: 'x' }])
  t.strictSame(created('emails[type eq "work" and primary eq "True"].value', 'x'), [
    { type: 'work', primary: true, value: 'x' },
  ])
  t.strictSame(created('emails[type eq "work"]', { value: 'x' }), [{ type: 'work', value: 'x' }])
  t.strictSame(
    created('emails[type eq "work"].value', ''),
    undefined,
    'without a value there is nothing to do',
  )
  t.strictSame(created('emails[type eq "work"]', null), undefined)
  for (const filter of [
    'type ne "work"',
    'type eq "work" or type eq "home"',
    'type sw "w"',
    'not (type eq "x")',
    'type eq "a" and type eq "b"',
  ]) {
    t.throws(
      () => created(`emails[${filter}].value`, 'x'),
      refusal('noTarget', 'emails.value: no value matches the filter of the path'),
      filter,
    )
  }
  t.strictSame(
    patch(
      barbara,
      { op: 'add', path: 'emails[type eq "other"].value', value: 'o' },
      { op: 'add', path: 'emails[type eq "other"].primary', value: 'True' },
    ).emails,
    [{ ...work, primary: false }, home, { type: 'other', value: 'o', primary: true }],
  )
})

t.test('RFC 7643 §2.5: "", null and [] unassign', async (t) => {
  for (const value of ['', null, []]) {
    t.notOk('title' in patch(barbara, { op: 'replace', path: 'title', value }))
    t.notOk('title' in patch(barbara, { op: 'add', value: { title: value } }))
    t.notOk('name' in patch(barbara, { op: 'replace', path: 'name', value }))
    t.notOk('emails' in patch(barbara, { op: 'replace', path: 'emails', value }))
    t.strictSame(patch(barbara, { op: 'replace', path: 'emails[type eq "home"].value', value }).emails, [
      work,
    ])
  }
})

t.test('RFC 7643 §4.3: a manager is one thing', async (t) => {
  const manager = (op: object) => (patch(barbara, op)[ENTERPRISE] as Resource).manager
  const path = `${ENTERPRISE}:manager`
  t.strictSame(manager({ op: 'replace', path, value: 'm2' }), { value: 'm2' })
  t.strictSame(manager({ op: 'replace', path: `${path}.value`, value: 'm2' }), { value: 'm2' })
  t.strictSame(manager({ op: 'replace', path, value: 'm1' }), { value: 'm1', $ref: '../Users/m1' })
  t.strictSame(manager({ op: 'replace', path: `${path}.$ref`, value: 'x' }), { value: 'm1', $ref: 'x' })
  t.strictSame(manager({ op: 'add', path, value: [{ value: 'm2', displayName: 'Boss' }] }), { value: 'm2' })
  for (const value of ['', null, [], { value: '' }, { Value: null, $ref: 'x' }]) {
    t.equal(manager({ op: 'replace', path, value }), undefined)
  }
  t.equal(manager({ op: 'remove', path: `${path}.value` }), undefined)
})

t.test('RFC 7644 §3.5.2: the examples', async (t) => {
  const example = (name: string, resource: Resource) =>
    applyPatch(userType, resource, parsePatch(userType, rfc(name)))
  t.strictSame(example('rfc7644-3.5.2.1-patch_op-add_emails', { userName: 'b' }), {
    userName: 'b',
    emails: [{ value: 'babs@jensen.org', type: 'home' }],
    nickName: 'Babs',
  })
  t.strictSame(example('rfc7644-3.5.2.2-patch_op-remove_multi_complex_value', barbara).emails, [home])
  t.strictSame(example('rfc7644-3.5.2.3-patch_op-replace_all_email_values', barbara).emails, [
    { value: 'bjensen@example.com', type: 'work', primary: true },
    { value: 'babs@jensen.org', type: 'home' },
  ])
  const addresses = [
    { type: 'work', country: 'DE' },
    { type: 'home', country: 'FR' },
  ]
  t.strictSame(
    example('rfc7644-3.5.2.3-patch_op-replace_street_address', { userName: 'b', addresses }).addresses,
    [
      { type: 'work', country: 'DE', streetAddress: '1010 Broadway Ave' },
      { type: 'home', country: 'FR' },
    ],
  )
  t.match(
    example('rfc7644-3.5.2.3-patch_op-replace_user_work_address', { userName: 'b', addresses }).addresses,
    [
      { type: 'work', country: 'US', primary: true },
      { type: 'home', country: 'FR' },
    ],
  )
})

t.test('Entra: app roles as JSON text', async (t) => {
  const roles = (value: unknown) => patch({ userName: 'b' }, { op: 'Add', path: 'roles', value }).roles
  t.strictSame(roles([{ value: '{"id":"1","value":"Admin","displayName":"Administrator"}' }]), [
    { value: 'Admin', display: 'Administrator' },
  ])
  for (const value of ['{not json', '{"id":"1"}', '{"value":5}', '{"__proto__":{"value":"x"}}']) {
    t.strictSame(roles([{ value }]), [{ value }], 'what is no app role stays as it is')
  }
})
