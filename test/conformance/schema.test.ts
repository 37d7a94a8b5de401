import t from 'tap'
import {
  type Body,
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
  USER,
  user,
} from './setup.ts'

const { tenant } = await startConformance(t)

t.test('RFC 7643 §3 (29): schemas is required; answers list what is present, once', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r29-ann')
  const role = await makeGroup(t, scim, 'Role 1')
  for (const [what, schemas] of Object.entries({ missing: undefined, empty: [], null: null })) {
    const person = { ...user('r29-x'), schemas }
    refused(t, await scim('POST', '/Users', person), 400, 'invalidSyntax', `POST a user, ${what}`)
    refused(t, await scim('PUT', `/Users/${ann.id}`, person), 400, 'invalidSyntax', `PUT a user, ${what}`)
    const named = { ...group('Role 2'), schemas }
    refused(t, await scim('POST', '/Groups', named), 400, 'invalidSyntax', `POST a group, ${what}`)
    refused(t, await scim('PUT', `/Groups/${role.id}`, named), 400, 'invalidSyntax', `PUT a group, ${what}`)
  }
  for (const schemas of ['', 7, {}, [7], [null]]) {
    const answer = await scim('POST', '/Users', user('r29-x', { schemas }))
    refused(t, answer, 400, 'invalidSyntax', `schemas ${JSON.stringify(schemas)}`)
  }
  t.equal((await scim('GET', '/Users')).body.totalResults, 1)

  const sorted = (body: Body) => [...body.schemas].sort()
  const extended = { [ENTERPRISE]: { department: 'Sales' } }
  const reversed = await makeUser(t, scim, 'r29-reversed', { schemas: [ENTERPRISE, USER], ...extended })
  t.strictSame(sorted(reversed), [USER, ENTERPRISE].sort(), 'their order means nothing')
  const unused = await makeUser(t, scim, 'r29-unused', { schemas: [USER, ENTERPRISE] })
  t.strictSame(unused.schemas, [USER], 'declared, but nothing of it is there')
  const undeclared = await makeUser(t, scim, 'r29-undeclared', extended)
  t.strictSame(sorted(undeclared), [USER, ENTERPRISE].sort(), 'there, although not declared')
  const unknown = await makeUser(t, scim, 'r29-unknown', {
    schemas: [USER, 'urn:example:scim:1.0:User'],
    'urn:example:scim:1.0:User': { colour: 'blue' },
    noSuchAttribute: 1,
  })
  t.strictSame(unknown.schemas, [USER], 'unknown schemas are ignored')
  t.notMatch(JSON.stringify(unknown), /blue|noSuchAttribute/)
  const twice = await scim('POST', '/Users', user('r29-twice', { schemas: [USER, USER] }))
  if (twice.status === 201) t.strictSame(twice.body.schemas, [USER], 'no duplicates')
  else refused(t, twice, 400, 'invalidSyntax', 'duplicates')

  const path = `/Users/${reversed.id}`
  const emptied = await scim('PATCH', path, patch({ op: 'remove', path: `${ENTERPRISE}:department` }))
  t.strictSame(emptied.body.schemas, [USER], 'nothing of the extension is left')
  t.strictSame((await scim('GET', `/Groups/${role.id}`)).body.schemas, [GROUP])
})

t.test('RFC 7643 §2.1 (30): attribute names in bodies in any case; one attribute once', async (t) => {
  const scim = await tenant()
  const posted = await scim('POST', '/Users', {
    SCHEMAS: [USER, ENTERPRISE],
    USERNAME: 'r30@example.com',
    Title: 'Lead',
    NAME: { GIVENNAME: 'Ann', familyname: 'Adams' },
    eMails: [{ VALUE: 'ann@example.com', Type: 'work', PRIMARY: true }],
    [ENTERPRISE]: { DEPARTMENT: 'Sales', Manager: { VALUE: 'm' } },
  })
  t.equal(posted.status, 201)
  t.match(
    posted.body,
    {
      userName: 'r30@example.com',
      title: 'Lead',
      name: { givenName: 'Ann', familyName: 'Adams' },
      emails: [{ value: 'ann@example.com', type: 'work', primary: true }],
      [ENTERPRISE]: { department: 'Sales', manager: { value: 'm' } },
    },
    'answered as the schema spells them',
  )
  t.notMatch(JSON.stringify(posted.body), /USERNAME|"Title"|GIVENNAME|eMails|DEPARTMENT/)
  const path = `/Users/${posted.body.id}`
  const put = await scim('PUT', path, { schemas: [USER], username: 'r30@example.com', TITLE: 'Boss' })
  t.match(put, { status: 200, body: { title: 'Boss' } }, 'PUT')
  const patched = await scim('PATCH', path, patch({ op: 'replace', path: 'NICKNAME', value: 'Annie' }))
  t.match(patched, { status: 200, body: { nickName: 'Annie' } }, 'PATCH, in a path')
  const inValue = patch({ op: 'replace', value: { NickName: 'A', NAME: { FamilyName: 'B' } } })
  t.match(await scim('PATCH', path, inValue), {
    status: 200,
    body: { nickName: 'A', name: { familyName: 'B' } },
  })

  const conflicts = {
    'two user names': { ...user('r30-a'), USERNAME: 'r30-b@example.com' },
    'two titles': user('r30-c', { title: 'a', Title: 'b' }),
    'two parts': user('r30-d', { name: { givenName: 'a', GivenName: 'b' } }),
    'two parts of a value': user('r30-e', { emails: [{ value: 'a@example.com', Value: 'b@example.com' }] }),
  }
  for (const [what, body] of Object.entries(conflicts)) {
    refused(t, await scim('POST', '/Users', body), 400, undefined, what)
  }
  t.equal((await scim('GET', '/Users')).body.totalResults, 1)
  const role = await scim('POST', '/Groups', {
    schemas: [GROUP],
    DISPLAYNAME: 'Role 3',
    Members: [{ VALUE: posted.body.id }],
  })
  t.match(role, { status: 201, body: { displayName: 'Role 3', members: [{ value: posted.body.id }] } })
})

t.test('RFC 7643 §3.1 (31): id and externalId are caseExact; meta is the server’s', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r31-ann', {
    externalId: 'Ext-31',
    meta: {
      created: '2001-01-01T00:00:00Z',
      lastModified: '2002-01-01T00:00:00Z',
      location: 'x',
      version: 'v',
    },
  })
  t.equal(ann.externalId, 'Ext-31', 'kept as sent')
  t.equal(ann.meta.lastModified, ann.meta.created, 'not modified yet')
  t.notMatch(ann.meta.created, '2001')
  t.match(ann.meta.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)
  t.notMatch(ann.id, /bulkId/i)
  const upper = ann.id.toUpperCase()
  t.not(upper, ann.id, 'an id with letters')
  refused(t, await scim('GET', `/Users/${upper}`), 404, undefined, 'GET of the id in capitals')
  t.strictSame(await found(scim, `id eq "${ann.id}"`), ['r31-ann'])
  t.strictSame(await found(scim, `id eq "${upper}"`), [])
  t.strictSame(await found(scim, 'externalId eq "Ext-31"'), ['r31-ann'])
  t.strictSame(await found(scim, 'externalId eq "ext-31"'), [])
  t.equal((await makeUser(t, scim, 'r31-bob', { externalId: 'ext-31' })).externalId, 'ext-31')
  t.strictSame(await found(scim, 'externalId eq "ext-31"'), ['r31-bob'])

  for (const externalId of ['0', '-1', ann.id, '2147483648']) {
    const other = await makeUser(t, scim, `r31-ext-${externalId.length}`, { externalId })
    t.not(other.id, externalId, 'no externalId becomes an id')
  }
  t.equal((await scim('GET', `/Users/${ann.id}`)).body.userName, 'r31-ann@example.com')

  const put = await scim(
    'PUT',
    `/Users/${ann.id}`,
    user('r31-ann', { title: 'x', meta: { created: '2001-01-01T00:00:00Z' } }),
  )
  t.equal(put.body.meta.created, ann.meta.created)
  t.ok(Date.parse(put.body.meta.lastModified) >= Date.parse(ann.meta.lastModified))
  t.not(put.body.meta.version, ann.meta.version)
  t.equal(put.body.meta.location, ann.meta.location)
  const role = await makeGroup(t, scim, 'Role 4')
  t.equal(role.meta.lastModified, role.meta.created)
  t.notMatch(role.id, /bulkId/i)
})

t.test(
  'RFC 7643 §4.1.1, RFC 7644 §5 (32): userName is there, unique, and compared without case',
  async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'R32-Ann')
    t.equal(ann.userName, 'R32-Ann@example.com', 'kept as sent')
    for (const userName of ['r32-ann@example.com', 'R32-ANN@EXAMPLE.COM']) {
      t.strictSame(await found(scim, `userName eq "${userName}"`), ['R32-Ann'])
      refused(t, await scim('POST', '/Users', user('x', { userName })), 409, 'uniqueness', userName)
    }
    for (const [what, userName] of Object.entries({
      missing: undefined,
      empty: '',
      null: null,
      'a number': 42,
      'a Boolean': true,
      'an object': { value: 'x' },
      'a list': ['x'],
    })) {
      const body = { schemas: [USER], ...(userName !== undefined && { userName }) }
      refused(t, await scim('POST', '/Users', body), 400, 'invalidValue', `userName ${what}`)
    }
    // RFC 7613 §3.2.2, which RFC 7644 §5 names: width mapping, case mapping, then NFC.
    await makeUser(t, scim, 'r32-jos\u00e9')
    await makeUser(t, scim, 'r32-\u00c5sa')
    for (const [what, name, as] of [
      ['decomposed', 'r32-jose\u0301', 'r32-jos\u00e9'],
      ['in capitals', 'R32-JOS\u00c9', 'r32-jos\u00e9'],
      ['decomposed capitals', 'R32-JOSE\u0301', 'r32-jos\u00e9'],
      ['the sign of the unit', 'r32-\u212bsa', 'r32-\u00c5sa'],
      ['full width', 'r\uff13\uff12-ann', 'R32-Ann'],
      ['full width capitals', '\uff32\uff13\uff12-\uff21\uff2e\uff2e', 'R32-Ann'],
    ] as const) {
      refused(t, await scim('POST', '/Users', user(name)), 409, 'uniqueness', what)
      t.strictSame(await found(scim, `userName eq "${name}@example.com"`), [as], `found ${what}`)
    }
  },
)

t.test('RFC 7643 §2.4 (33): one primary at most; no type and value twice', async (t) => {
  const scim = await tenant()
  const email = (type: string, value: string, primary?: unknown) => ({
    type,
    value: `${value}@example.com`,
    ...(primary !== undefined && { primary }),
  })
  const primaries = (body: Body): string[] =>
    (body.emails ?? []).filter((each: Body) => each.primary === true).map((each: Body) => each.type)

  const two = [email('work', 'a', true), email('home', 'b', true)]
  const posted = await scim('POST', '/Users', user('r33-two', { emails: two }))
  if (posted.status === 201) {
    t.equal(primaries(posted.body).length, 1, 'POST of two primaries keeps one')
    t.equal(posted.body.emails.length, 2, 'and both addresses')
  } else refused(t, posted, 400, 'invalidValue', 'POST of two primaries')
  const one = await makeUser(t, scim, 'r33-one', {
    emails: [email('work', 'a', true), email('home', 'b', false)],
  })
  t.strictSame(primaries(one), ['work'])
  const put = await scim('PUT', `/Users/${one.id}`, user('r33-one', { emails: two }))
  if (put.status !== 200) refused(t, put, 400, 'invalidValue', 'PUT of two primaries')
  t.equal(primaries((await scim('GET', `/Users/${one.id}`)).body).length, 1, 'PUT')
  const patched = await scim(
    'PATCH',
    `/Users/${one.id}`,
    patch({ op: 'replace', path: 'emails', value: two }),
  )
  if (patched.status !== 200) refused(t, patched, 400, 'invalidValue', 'PATCH to two primaries')
  t.equal(primaries((await scim('GET', `/Users/${one.id}`)).body).length, 1, 'PATCH')
  const text = await makeUser(t, scim, 'r33-text', {
    emails: [email('work', 'a', 'True'), email('home', 'b', 'False')],
  })
  t.strictSame(primaries(text), ['work'], 'a Boolean as Entra sends it')
  const none = await makeUser(t, scim, 'r33-none', { emails: [email('work', 'a'), email('home', 'b')] })
  t.strictSame(primaries(none), [], 'none is made up')

  const same = [email('work', 'a'), email('work', 'a')]
  const duplicate = await scim('POST', '/Users', user('r33-same', { emails: same }))
  if (duplicate.status === 201) t.equal(duplicate.body.emails.length, 1, 'POST of a duplicate keeps one')
  else refused(t, duplicate, 400, 'invalidValue', 'POST of a duplicate')
  const add = patch({ op: 'add', path: 'emails', value: [email('work', 'a')] })
  const added = await scim('PATCH', `/Users/${none.id}`, add)
  t.equal(added.status, 200)
  t.equal(added.body.emails.length, 2, 'adding what is there')
  const different = await makeUser(t, scim, 'r33-different', {
    emails: [email('work', 'a'), email('home', 'a')],
  })
  t.equal(different.emails.length, 2, 'the same value of another type is another')
  const role = await makeGroup(t, scim, 'Role 5', one.id, one.id)
  t.equal(role.members.length, 1, 'a member is a member once')
})

t.test('RFC 7643 §4.1.2 (34): a user’s groups follow the groups, and nothing else', async (t) => {
  const scim = await tenant()
  const role = await makeGroup(t, scim, 'Role 6')
  const groups = [{ value: role.id, display: 'Role 6', type: 'direct' }]
  const ann = await makeUser(t, scim, 'r34', { groups })
  const path = `/Users/${ann.id}`
  t.equal(ann.groups, undefined, 'POST ignores them')
  t.equal((await scim('PUT', path, user('r34', { groups }))).body.groups, undefined, 'PUT ignores them')
  for (const operation of [
    { op: 'add', path: 'groups', value: groups },
    { op: 'replace', path: 'Groups', value: groups },
    { op: 'remove', path: 'groups' },
    { op: 'remove', path: `groups[value eq "${role.id}"]` },
    { op: 'replace', path: `groups[value eq "${role.id}"].display`, value: 'x' },
  ]) {
    const answer = await scim('PATCH', path, patch(operation))
    refused(t, answer, 400, 'mutability', `PATCH ${operation.op} ${operation.path}`)
  }
  t.strictSame((await scim('GET', `/Groups/${role.id}`)).body.members ?? [], [], 'nobody joined')

  const members = (op: string) => patch({ op, path: 'members', value: [{ value: ann.id }] })
  t.equal((await scim('PATCH', `/Groups/${role.id}`, members('add'))).status, 204)
  const inside = (await scim('GET', path)).body.groups
  t.equal(inside.length, 1)
  t.match(inside[0], { value: role.id, display: 'Role 6', type: 'direct', $ref: role.meta.location })
  t.strictSame((await scim('GET', '/Users')).body.Resources[0].groups, inside, 'in a list too')
  t.strictSame(await found(scim, `groups.value eq "${role.id}"`), ['r34'])
  t.strictSame(await found(scim, `groups[value eq "${role.id}" and type eq "direct"]`), ['r34'])
  t.strictSame(await found(scim, 'groups.display eq "role 6"'), ['r34'])
  const kept = await scim('PUT', path, user('r34', { groups: [] }))
  t.strictSame(kept.body.groups, inside, 'PUT of none does not leave')

  const renamed = patch({ op: 'replace', path: 'displayName', value: 'Role 7' })
  t.equal((await scim('PATCH', `/Groups/${role.id}`, renamed)).status, 204)
  t.equal((await scim('GET', path)).body.groups[0].display, 'Role 7', 'its name is the group’s')
  t.equal((await scim('PATCH', `/Groups/${role.id}`, members('remove'))).status, 204)
  t.equal((await scim('GET', path)).body.groups, undefined)
})

t.test('RFC 7643 §2.3 (35): a dateTime has a time; a Boolean is one; types are not mixed', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r35')
  for (const attribute of ['meta.created', 'meta.lastModified']) {
    for (const literal of ['"2020-01-01"', '"yesterday"', '"2020-13-45T00:00:00Z"', '""', '5', 'true']) {
      const answer = await scim('GET', `/Users${query({ filter: `${attribute} gt ${literal}` })}`)
      refused(t, answer, 400, 'invalidFilter', `${attribute} gt ${literal}`)
    }
    for (const literal of [
      '2020-01-01T00:00:00Z',
      '2020-01-01T00:00:00.123456Z',
      '2020-01-01T00:00:00+05:30',
    ]) {
      t.strictSame(await found(scim, `${attribute} gt "${literal}"`), ['r35'], literal)
    }
  }
  const path = `/Users/${ann.id}`
  for (const [active, expected] of [
    [true, true],
    [false, false],
    ['True', true],
    ['False', false],
    ['true', true],
    ['false', false],
  ] as const) {
    const patched = await scim('PATCH', path, patch({ op: 'replace', path: 'active', value: active }))
    t.equal(patched.status, 200)
    t.equal(patched.body.active, expected, `active ${JSON.stringify(active)}`)
    const put = await scim('PUT', path, user('r35', { active }))
    t.equal(put.body.active, expected, `PUT active ${JSON.stringify(active)}`)
  }
  for (const active of ['yes', '1', 'tru', 1, 0, {}, [true, false], ' true']) {
    const what = `active ${JSON.stringify(active)}`
    refused(t, await scim('POST', '/Users', user('r35-x', { active })), 400, 'invalidValue', `POST ${what}`)
    const change = patch({ op: 'replace', path: 'active', value: active })
    refused(t, await scim('PATCH', path, change), 400, 'invalidValue', `PATCH ${what}`)
  }
  const named = await makeUser(t, scim, 'r35-true', { displayName: 'True', title: 'false', nickName: '0' })
  t.match(
    named,
    { displayName: 'True', title: 'false', nickName: '0' },
    'only Booleans are taken for Booleans',
  )
  for (const [attribute, value] of [
    ['title', 5],
    ['title', true],
    ['title', { value: 'x' }],
    ['title', ['x', 'y']],
    ['name', 'Ann'],
    ['emails', 5],
    ['name', { givenName: 5 }],
    ['emails', [{ value: 5 }]],
    ['emails', [{ value: 'a@example.com', primary: 'maybe' }]],
  ] as const) {
    const what = `${attribute} ${JSON.stringify(value)}`
    refused(t, await scim('POST', '/Users', user('r35-x', { [attribute]: value })), 400, 'invalidValue', what)
  }
  t.equal((await scim('GET', '/Users')).body.totalResults, 2)
})

t.test('RFC 7643 §4.1.1 (36): a password is never returned, found, or named', async (t) => {
  const scim = await tenant()
  const secret = 'S3cret-r36'
  const silent = (answer: { body: Body }, what: string) =>
    t.notMatch(JSON.stringify(answer.body ?? {}), /S3cret-r36|"password"/, what)
  const posted = await scim('POST', '/Users', user('r36', { password: secret }))
  t.equal(posted.status, 201)
  silent(posted, 'POST')
  const path = `/Users/${posted.body.id}`
  for (const one of [
    '',
    '?attributes=password',
    '?attributes=PASSWORD,userName',
    `?attributes=${USER}:password`,
  ]) {
    silent(await scim('GET', `${path}${one}`), `GET ${one}`)
    silent(await scim('GET', `/Users${one}`), `list ${one}`)
  }
  silent(await scim('PUT', path, user('r36', { password: secret })), 'PUT')
  const change = await scim(
    'PATCH',
    `${path}?attributes=password`,
    patch({ op: 'replace', path: 'password', value: secret }),
  )
  t.equal(change.status, 200)
  silent(change, 'PATCH')

  const asked = async (filter: string) => {
    const { status, body } = await scim('GET', `/Users${query({ filter })}`)
    return [status, body.scimType, body.totalResults]
  }
  const right = await asked(`password eq "${secret}"`)
  t.strictSame(right, await asked('password eq "wrong"'), 'a filter tells nothing')
  t.strictSame(right, await asked('password sw "S3"'))
  t.ok(right[0] === 400 || right[2] === 0, 'and finds nobody')
  t.ok((await asked('password pr'))[2] !== 1, 'not even that there is one')
  t.ok((await asked(`not (password eq "${secret}")`))[2] !== 0, 'nor the other way round')

  const wrong = {
    'without a userName': { schemas: [USER], password: secret },
    duplicate: user('r36', { password: secret }),
    'a wrong neighbour': user('r36-x', { password: secret, active: 'maybe' }),
  }
  for (const [what, body] of Object.entries(wrong)) {
    const answer = await scim('POST', '/Users', body)
    t.ok(answer.status >= 400, what)
    silent(answer, `the error does not repeat it: ${what}`)
  }
  for (const [index, password] of [{ is: secret }, [secret, secret], ''].entries()) {
    const answer = await scim('POST', '/Users', user(`r36-odd-${index}`, { password }))
    t.ok(answer.status === 201 || answer.status === 400, 'taken or refused')
    t.notMatch(JSON.stringify(answer.body), secret, 'a wrong type is not repeated either')
  }
  const badPatch = await scim(
    'PATCH',
    path,
    patch({ op: 'add', path: 'password', value: secret }, { op: 'replace', path: 'active', value: 'maybe' }),
  )
  t.equal(badPatch.status, 400)
  t.notMatch(JSON.stringify(badPatch.body), secret)
  const bad = await scim('GET', `/Users${query({ filter: `password xx "${secret}"` })}`)
  t.equal(bad.status, 400)
})

t.test('RFC 7643, verified errata: as /Schemas and /ResourceTypes publish them', async (t) => {
  const scim = await tenant()
  const schemas: Body[] = (await scim('GET', '/Schemas')).body.Resources
  const schema = (id: string): Body => schemas.find((each) => each.id === id) ?? {}
  const attribute = (from: Body, name: string): Body =>
    (from.attributes ?? from.subAttributes ?? []).find((each: Body) => each.name === name) ?? {}

  t.equal(attribute(schema(GROUP), 'displayName').required, true, '5368: displayName of a group is required')
  const manager = attribute(schema(ENTERPRISE), 'manager')
  t.equal(attribute(manager, 'value').caseExact, true, '8472: manager.value is caseExact')
  const groups = attribute(schema(USER), 'groups')
  t.strictSame(attribute(groups, '$ref').referenceTypes, ['Group'], '8471: groups.$ref refers to groups')

  const subAttributes = schemas.flatMap((each) =>
    each.attributes.flatMap((outer: Body) => outer.subAttributes ?? []),
  )
  const all: Body[] = [...schemas.flatMap((each) => each.attributes), ...subAttributes]
  for (const { name, referenceTypes } of all.filter(({ type }) => type === 'reference')) {
    t.ok(
      Array.isArray(referenceTypes) && referenceTypes.length > 0,
      `5607: referenceTypes of ${name} is a list`,
    )
  }
  for (const each of (await scim('GET', '/ResourceTypes')).body.Resources) {
    t.ok(Array.isArray(each.schemaExtensions ?? []), `7522: schemaExtensions of ${each.id} is a list`)
  }
  const certificates = attribute(schema(USER), 'x509Certificates')
  t.equal(attribute(certificates, 'value').type, 'binary', '8415, 8435: binary is a type')
  const types = ['string', 'boolean', 'decimal', 'integer', 'dateTime', 'reference', 'binary']
  t.strictSame(
    subAttributes.filter(({ type }) => !types.includes(type)),
    [],
    '8415, 8435: nothing complex inside a complex attribute',
  )
  for (const { name, type } of all) t.ok([...types, 'complex'].includes(type), `${name} has a type`)
  for (const id of [USER, GROUP]) {
    t.match(
      attribute(schema(id), 'externalId'),
      { caseExact: true, uniqueness: 'none' },
      'externalId is listed',
    )
  }
})
