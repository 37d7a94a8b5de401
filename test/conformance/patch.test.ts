import t, { type Test } from 'tap'
import type { ScimRequest } from '../support/scim-client.ts'
import {
  type Body,
  ENTERPRISE,
  found,
  makeGroup,
  makeUser,
  PATCH_OP,
  patch,
  refused,
  startConformance,
  UNKNOWN_ID,
  USER,
} from './setup.ts'

const { tenant } = await startConformance(t)

/** PATCHes a user and answers it; the operations must succeed. */
async function change(t: Test, scim: ScimRequest, { id }: Body, ...operations: object[]): Promise<Body> {
  const { status, body } = await scim('PATCH', `/Users/${id}`, patch(...operations))
  t.equal(status, 200, `PATCH ${JSON.stringify(operations)}`)
  return body
}

/** PATCHes a group, and answers it as it is afterwards. */
async function changeGroup(t: Test, scim: ScimRequest, { id }: Body, ...operations: object[]): Promise<Body> {
  const { status } = await scim('PATCH', `/Groups/${id}`, patch(...operations))
  t.equal(status, 204, `PATCH ${JSON.stringify(operations)}`)
  return (await scim('GET', `/Groups/${id}`)).body
}

const memberIds = (group: Body): string[] =>
  (group.members ?? []).map(({ value }: { value: string }) => value).sort()

const emailsOf = (person: Body): string[] =>
  (person.emails ?? []).map(({ type, value }: Body) => `${type} ${value.split('@')[0]}`).sort()

const email = (type: string, name: string, more: object = {}) => ({
  type,
  value: `${name}@example.com`,
  ...more,
})

t.test('RFC 7644 §3.5.2 (37): a PatchOp with operations; add, replace, remove in any case', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r37', { title: 'before' })
  const role = await makeGroup(t, scim, 'Role 1')
  const Operations = [{ op: 'replace', path: 'externalId', value: 'x' }]
  for (const [what, body] of Object.entries({
    'no schemas': { Operations },
    'empty schemas': { schemas: [], Operations },
    'schemas of a user': { schemas: [USER], Operations },
    'no operations': { schemas: [PATCH_OP] },
    'empty operations': { schemas: [PATCH_OP], Operations: [] },
    'operations null': { schemas: [PATCH_OP], Operations: null },
    'operations that are no list': { schemas: [PATCH_OP], Operations: Operations[0] },
    'an operation that is no object': { schemas: [PATCH_OP], Operations: ['replace'] },
    'an unknown op': patch({ op: 'move', path: 'externalId', value: 'x' }),
    'no op': patch({ path: 'externalId', value: 'x' }),
    'op null': patch({ op: null, path: 'externalId', value: 'x' }),
    'a list': [patch(...Operations)],
    'a text': '"replace"',
    nothing: 'null',
  })) {
    refused(t, await scim('PATCH', `/Users/${ann.id}`, body), 400, 'invalidSyntax', `a user: ${what}`)
    refused(t, await scim('PATCH', `/Groups/${role.id}`, body), 400, 'invalidSyntax', `a group: ${what}`)
  }
  for (const path of [
    'name.',
    '.title',
    'emails[type eq "work"',
    'emails]',
    'emails[type eq "work"]value',
    'a b',
    '[]',
  ]) {
    const answer = await scim('PATCH', `/Users/${ann.id}`, patch({ op: 'replace', path, value: 'x' }))
    t.equal(answer.status, 400, `path '${path}'`)
    t.ok(
      ['invalidPath', 'invalidFilter'].includes(answer.body?.scimType),
      `path '${path}': ${answer.body?.scimType}`,
    )
  }
  t.strictSame((await scim('GET', `/Users/${ann.id}`)).body, ann, 'none of them changed anything')
  t.strictSame((await scim('GET', `/Groups/${role.id}`)).body, role)

  for (const op of ['replace', 'Replace', 'REPLACE', 'add', 'Add', 'ADD']) {
    t.equal((await change(t, scim, ann, { op, path: 'title', value: op })).title, op, op)
  }
  for (const op of ['remove', 'Remove', 'REMOVE']) {
    await change(t, scim, ann, { op: 'add', path: 'title', value: 'x' })
    t.equal((await change(t, scim, ann, { op, path: 'title' })).title, undefined, op)
  }
  const pathless = await change(t, scim, ann, { op: 'Add', value: { title: 'a', nickName: 'b' } })
  t.match(pathless, { title: 'a', nickName: 'b' })
  const other = await makeUser(t, scim, 'r37-other')
  for (const [op, expected] of [
    ['Add', [other.id]],
    ['Remove', []],
  ] as const) {
    const after = await changeGroup(t, scim, role, { op, path: 'members', value: [{ value: other.id }] })
    t.strictSame(memberIds(after), expected, `${op} of a member`)
  }
})

t.test('RFC 7644 §3.5.2 (38): one failing operation undoes all of them, meta too', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r38-ann', { title: 'before', emails: [email('work', 'a')] })
  const bob = await makeUser(t, scim, 'r38-bob')
  const before = await scim('GET', `/Users/${ann.id}`)
  const good = [
    { op: 'replace', path: 'title', value: 'after' },
    { op: 'add', path: 'emails', value: [email('home', 'b')] },
    { op: 'add', path: `${ENTERPRISE}:department`, value: 'Sales' },
  ]
  for (const [scimType, bad] of [
    ['invalidValue', { op: 'replace', path: 'active', value: 'maybe' }],
    ['mutability', { op: 'replace', path: 'id', value: 'x' }],
    ['mutability', { op: 'remove', path: 'userName' }],
    ['noTarget', { op: 'remove' }],
    ['noTarget', { op: 'replace', path: 'emails[value co "nobody"].display', value: 'x' }],
    ['invalidSyntax', { op: 'move', path: 'title', value: 'x' }],
    ['uniqueness', { op: 'replace', path: 'userName', value: 'R38-bob@example.com' }],
  ] as const) {
    const status = scimType === 'uniqueness' ? 409 : 400
    for (const operations of [
      [...good, bad],
      [bad, ...good],
    ]) {
      refused(
        t,
        await scim('PATCH', `/Users/${ann.id}`, patch(...operations)),
        status,
        scimType,
        JSON.stringify(bad),
      )
    }
    const after = await scim('GET', `/Users/${ann.id}`)
    t.strictSame(after.body, before.body, `${JSON.stringify(bad)}: everything is as it was`)
    t.equal(after.headers.get('etag'), before.headers.get('etag'))
  }

  const role = await makeGroup(t, scim, 'Role 2', ann.id)
  const person = (await scim('GET', `/Users/${bob.id}`)).body
  const join = { op: 'add', path: 'members', value: [{ value: bob.id }] }
  const leave = { op: 'remove', path: `members[value eq "${ann.id}"]` }
  for (const [what, scimType, ...operations] of [
    [
      'an unknown member',
      'invalidValue',
      { op: 'add', path: 'members', value: [{ value: bob.id }, { value: UNKNOWN_ID }] },
    ],
    [
      'an unknown member later',
      'invalidValue',
      join,
      { op: 'add', path: 'members', value: [{ value: UNKNOWN_ID }] },
    ],
    [
      'an unknown role',
      'invalidValue',
      join,
      leave,
      { op: 'replace', path: 'displayName', value: 'No such role' },
    ],
    ['no name', 'invalidValue', join, leave, { op: 'replace', path: 'displayName', value: '' }],
    ['an id', 'mutability', leave, join, { op: 'replace', path: 'id', value: 'x' }],
  ] as [string, string, ...object[]][]) {
    const answer = await scim('PATCH', `/Groups/${role.id}`, patch(...operations))
    refused(t, answer, 400, scimType, what)
    if (what.includes('member')) t.match(answer.body.detail, UNKNOWN_ID, 'the error names the member')
    t.strictSame((await scim('GET', `/Groups/${role.id}`)).body, role, `${what}: the group is as it was`)
    t.strictSame((await scim('GET', `/Users/${bob.id}`)).body, person, `${what}: so are its people`)
  }
})

t.test('RFC 7644 §3.5.2 (39): each operation sees what the ones before it did', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r39', { title: 'before' })
  const replaceTitle = (value: string) => ({ op: 'replace', path: 'title', value })
  t.equal((await change(t, scim, ann, replaceTitle('1'), replaceTitle('2'))).title, '2', 'the last one wins')
  const removed = await change(t, scim, ann, replaceTitle('3'), { op: 'remove', path: 'title' })
  t.equal(removed.title, undefined)
  const again = await change(t, scim, ann, { op: 'remove', path: 'title' }, replaceTitle('4'))
  t.equal(again.title, '4')
  const made = await change(
    t,
    scim,
    ann,
    { op: 'add', path: 'emails', value: [email('home', 'a'), email('other', 'b')] },
    { op: 'replace', path: 'emails[value sw "a@"].display', value: 'A' },
    { op: 'remove', path: 'emails[display eq "A"]' },
  )
  t.strictSame(emailsOf(made), ['other b'], 'what one made, the next one changed and the last one removed')

  const extended = await change(t, scim, ann, { op: 'add', path: `${ENTERPRISE}:department`, value: 'Sales' })
  t.strictSame([...extended.schemas].sort(), [USER, ENTERPRISE].sort(), 'the extension joins schemas')
  t.equal(extended[ENTERPRISE].department, 'Sales')
  const emptied = await change(t, scim, ann, { op: 'remove', path: `${ENTERPRISE}:department` })
  t.strictSame(emptied.schemas, [USER], 'and leaves')
  const inValue = await change(t, scim, ann, { op: 'add', value: { [ENTERPRISE]: { costCenter: '7' } } })
  t.strictSame([...inValue.schemas].sort(), [USER, ENTERPRISE].sort(), 'in a value as well')
  t.strictSame(inValue[ENTERPRISE], { costCenter: '7' })
  const qualified = await change(t, scim, ann, { op: 'replace', path: `${USER}:title`, value: 'qualified' })
  t.equal(qualified.title, 'qualified')

  const role = await makeGroup(t, scim, 'Role 3')
  const join = { op: 'add', path: 'members', value: [{ value: ann.id }] }
  const leave = { op: 'remove', path: 'members', value: [{ value: ann.id }] }
  t.strictSame(memberIds(await changeGroup(t, scim, role, join, leave)), [], 'joined and left')
  t.strictSame(memberIds(await changeGroup(t, scim, role, leave, join)), [ann.id], 'left and joined')
  const all = { op: 'remove', path: 'members' }
  t.strictSame(memberIds(await changeGroup(t, scim, role, all, join)), [ann.id])
  t.strictSame(memberIds(await changeGroup(t, scim, role, join, all)), [])
  const renamed = await changeGroup(
    t,
    scim,
    role,
    { op: 'replace', path: 'displayName', value: 'Role 4' },
    join,
    { op: 'replace', path: 'displayName', value: 'Role 5' },
  )
  t.equal(renamed.displayName, 'Role 5')
})

t.test('RFC 7644 §3.5.2 (40): a new primary value takes the place of the old one', async (t) => {
  const scim = await tenant()
  const primaries = (person: Body): string[] =>
    person.emails.filter(({ primary }: Body) => primary === true).map(({ type }: Body) => type)
  const ann = await makeUser(t, scim, 'r40', {
    emails: [email('work', 'a', { primary: true }), email('home', 'b')],
  })
  const added = await change(t, scim, ann, {
    op: 'add',
    path: 'emails',
    value: [email('other', 'c', { primary: true })],
  })
  t.equal(added.emails.length, 3)
  t.strictSame(primaries(added), ['other'], 'an added one')
  for (const [operation, type] of [
    [{ op: 'replace', path: 'emails[type eq "home"].primary', value: true }, 'home'],
    [{ op: 'add', path: 'emails[type eq "work"].primary', value: 'True' }, 'work'],
    [
      { op: 'replace', path: 'emails[type eq "other"]', value: email('other', 'c', { primary: true }) },
      'other',
    ],
    [{ op: 'add', value: { emails: [email('fax', 'd', { primary: true })] } }, 'fax'],
  ] as const) {
    t.strictSame(primaries(await change(t, scim, ann, operation)), [type], JSON.stringify(operation))
  }
  const person = (await scim('GET', `/Users/${ann.id}`)).body
  t.strictSame(emailsOf(person), ['fax d', 'home b', 'other c', 'work a'], 'nothing else changed')
  const put = await scim('PUT', `/Users/${ann.id}`, {
    schemas: [USER],
    userName: 'r40@example.com',
    emails: [email('work', 'a', { primary: true }), email('home', 'b', { primary: false })],
  })
  t.strictSame(primaries(put.body), ['work'], 'PUT says all of it')
})

t.test('RFC 7644 §3.5.2 (41): PATCH of what is read-only is 400 mutability', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r41', {
    schemas: [USER, ENTERPRISE],
    [ENTERPRISE]: { manager: { value: 'm' } },
  })
  const role = await makeGroup(t, scim, 'Role 6', ann.id)
  const person = (await scim('GET', `/Users/${ann.id}`)).body
  for (const op of ['add', 'replace', 'remove']) {
    for (const [path, value] of [
      ['id', UNKNOWN_ID],
      ['ID', UNKNOWN_ID],
      ['meta', { resourceType: 'Group' }],
      ['meta.created', '2001-01-01T00:00:00Z'],
      ['META.lastModified', '2001-01-01T00:00:00Z'],
      ['meta.version', 'W/"x"'],
      ['groups', [{ value: role.id }]],
      ['Groups', [{ value: role.id }]],
      [`groups[value eq "${role.id}"]`, { display: 'x' }],
      [`${USER}:groups`, [{ value: role.id }]],
      [`${ENTERPRISE}:manager.displayName`, 'The Boss'],
    ] as const) {
      const operation = { op, path, ...(op !== 'remove' && { value }) }
      const answer = await scim('PATCH', `/Users/${ann.id}`, patch(operation))
      refused(t, answer, 400, 'mutability', `${op} ${path}`)
    }
  }
  t.strictSame((await scim('GET', `/Users/${ann.id}`)).body, person, 'nothing changed')

  const bob = await makeUser(t, scim, 'r41-bob')
  const swap = { op: 'replace', path: `members[value eq "${ann.id}"].value`, value: bob.id }
  refused(
    t,
    await scim('PATCH', `/Groups/${role.id}`, patch(swap)),
    400,
    'mutability',
    'members.value is immutable',
  )
  for (const path of ['id', 'meta.version']) {
    const answer = await scim('PATCH', `/Groups/${role.id}`, patch({ op: 'replace', path, value: 'x' }))
    refused(t, answer, 400, 'mutability', `a group: ${path}`)
  }
  t.strictSame(memberIds((await scim('GET', `/Groups/${role.id}`)).body), [ann.id])
  const add = { op: 'add', path: 'members', value: [{ value: bob.id, type: 'User' }] }
  t.strictSame(
    memberIds(await changeGroup(t, scim, role, add)),
    [ann.id, bob.id].sort(),
    'a new one may be set',
  )
})

t.test(
  'RFC 7644 §3.5.2.1 (42): adding what is there changes nothing; add appends, replaces, merges',
  async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'r42', {
      title: 'Lead',
      active: true,
      name: { givenName: 'Ann', familyName: 'Adams' },
      emails: [email('work', 'a', { primary: true }), email('home', 'b')],
    })
    const before = await scim('GET', `/Users/${ann.id}`)
    for (const operation of [
      { op: 'add', path: 'title', value: 'Lead' },
      { op: 'replace', path: 'title', value: 'Lead' },
      { op: 'add', path: 'active', value: 'True' },
      { op: 'add', path: 'name', value: { familyName: 'Adams' } },
      { op: 'add', path: 'name.givenName', value: 'Ann' },
      { op: 'add', path: 'emails', value: [email('home', 'b')] },
      { op: 'add', path: 'emails', value: [email('work', 'a', { primary: true }), email('home', 'b')] },
      { op: 'add', value: { title: 'Lead', emails: [email('home', 'b')] } },
      { op: 'replace', path: 'emails[type eq "work"].value', value: 'a@example.com' },
    ]) {
      const answer = await scim('PATCH', `/Users/${ann.id}`, patch(operation))
      t.equal(answer.status, 200, JSON.stringify(operation))
      t.strictSame(answer.body, before.body, 'the same, lastModified and version too')
      t.equal(answer.headers.get('etag'), before.headers.get('etag'))
    }
    const appended = await change(t, scim, ann, {
      op: 'add',
      path: 'emails',
      value: [email('home', 'b'), email('other', 'c')],
    })
    t.strictSame(emailsOf(appended), ['home b', 'other c', 'work a'], 'only what is new is appended')
    t.not(appended.meta.version, before.body.meta.version)
    const single = await change(t, scim, ann, { op: 'add', path: 'emails', value: email('fax', 'd') })
    t.equal(single.emails.length, 4, 'one value without a list')
    t.equal(
      (await change(t, scim, ann, { op: 'add', path: 'title', value: 'Boss' })).title,
      'Boss',
      'one replaces one',
    )
    const merged = await change(t, scim, ann, {
      op: 'add',
      path: 'name',
      value: { familyName: 'Baker', middleName: 'M' },
    })
    t.strictSame(
      merged.name,
      { givenName: 'Ann', familyName: 'Baker', middleName: 'M' },
      'a complex one is merged',
    )

    const bob = await makeUser(t, scim, 'r42-bob')
    const role = await makeGroup(t, scim, 'Role 7', ann.id)
    const first = await scim('GET', `/Groups/${role.id}`)
    const add = (...ids: string[]) =>
      scim(
        'PATCH',
        `/Groups/${role.id}`,
        patch({ op: 'add', path: 'members', value: ids.map((value) => ({ value })) }),
      )
    const same = await add(ann.id)
    t.equal(same.status, 204, 'a member again')
    t.equal(same.headers.get('etag'), first.headers.get('etag'))
    t.strictSame((await scim('GET', `/Groups/${role.id}`)).body, first.body, 'no change of the group')
    t.equal((await add(ann.id, bob.id)).status, 204)
    const second = (await scim('GET', `/Groups/${role.id}`)).body
    t.strictSame(memberIds(second), [ann.id, bob.id].sort(), 'one is new')
    t.not(second.meta.version, first.body.meta.version)
  },
)

t.test('RFC 7644 §3.5.2.2 (43): remove needs a target, not a match; what is required stays', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r43-ann', {
    title: 'Lead',
    emails: [email('work', 'a'), email('home', 'b')],
  })
  const bob = await makeUser(t, scim, 'r43-bob')
  const role = await makeGroup(t, scim, 'Role 8', ann.id)
  const person = (await scim('GET', `/Users/${ann.id}`)).body
  const removeFrom = async (path: string, operation: object, scimType: string, what: string) =>
    refused(t, await scim('PATCH', path, patch({ op: 'remove', ...operation })), 400, scimType, what)
  const userPath = `/Users/${ann.id}`
  const groupPath = `/Groups/${role.id}`
  await removeFrom(userPath, {}, 'noTarget', 'no path')
  await removeFrom(userPath, { value: { title: 'Lead' } }, 'noTarget', 'no path, with a value')
  await removeFrom(groupPath, {}, 'noTarget', 'no path, of a group')
  for (const path of ['userName', 'USERNAME', `${USER}:userName`, 'id', 'meta', 'schemas', 'groups']) {
    await removeFrom(userPath, { path }, 'mutability', path)
  }
  for (const path of ['displayName', 'id', 'meta.created']) {
    await removeFrom(groupPath, { path }, 'mutability', `${path} of a group`)
  }
  for (const path of [
    'nickName',
    'name',
    'name.givenName',
    'phoneNumbers',
    'emails[type eq "fax"]',
    'emails[type eq "fax"].value',
    'emails[value co "nobody"]',
    'phoneNumbers[type eq "work"].value',
    `${ENTERPRISE}:manager`,
  ]) {
    t.strictSame(
      await change(t, scim, ann, { op: 'remove', path }),
      person,
      `${path}: nothing there, no change`,
    )
  }
  for (const operation of [
    { op: 'remove', path: 'members', value: [{ value: bob.id }] },
    { op: 'remove', path: `members[value eq "${bob.id}"]` },
    { op: 'remove', path: 'members', value: [{ value: UNKNOWN_ID }] },
    { op: 'remove', path: `members[value eq "${UNKNOWN_ID}"]` },
  ]) {
    const after = await changeGroup(t, scim, role, operation)
    t.strictSame(after, role, 'removing a non-member is no change')
  }

  const one = await change(t, scim, ann, { op: 'remove', path: 'EMAILS[TYPE eq "home"]' })
  t.strictSame(emailsOf(one), ['work a'])
  const none = await change(t, scim, ann, { op: 'remove', path: 'emails[type eq "work"]' })
  t.equal(none.emails, undefined, 'with its last value the attribute is unassigned')
  t.strictSame(await found(scim, 'emails pr'), [])
  t.equal((await change(t, scim, ann, { op: 'remove', path: 'title' })).title, undefined)
  t.strictSame(
    memberIds(await changeGroup(t, scim, role, { op: 'remove', path: `members[value eq "${ann.id}"]` })),
    [],
  )
})

t.test(
  'RFC 7644 §3.5.2.3 (44): replace finds its target, makes it as Entra wants, or is 400 noTarget',
  async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'r44', {
      title: 'Lead',
      name: { givenName: 'Ann', familyName: 'Adams' },
      emails: [email('other', 'a', { display: 'old' }), email('other', 'b'), email('home', 'c')],
      addresses: [{ type: 'work', streetAddress: '1 Old Road', locality: 'Pune' }],
    })
    const path = `/Users/${ann.id}`
    for (const target of [
      'emails[value co "nobody"].value',
      'emails[value sw "x"].display',
      'emails[type ne "other" and value ew "nobody"].display',
      'phoneNumbers[type pr].value',
      'emails[not (type pr)].value',
    ]) {
      const answer = await scim('PATCH', path, patch({ op: 'replace', path: target, value: 'x@example.com' }))
      refused(t, answer, 400, 'noTarget', target)
    }
    t.strictSame((await scim('GET', path)).body, ann, 'nothing was made')

    for (const value of ['', null]) {
      const nothing = await change(t, scim, ann, {
        op: 'replace',
        path: 'emails[type eq "work"].value',
        value,
      })
      t.strictSame(nothing, ann, 'no value for what is not there: nothing to do')
    }
    const work = await change(t, scim, ann, {
      op: 'replace',
      path: 'emails[type eq "work"].value',
      value: 'w@example.com',
    })
    t.strictSame(emailsOf(work), ['home c', 'other a', 'other b', 'work w'], 'eq describes the value to make')
    const phone = await change(t, scim, ann, {
      op: 'Add',
      path: 'phoneNumbers[type eq "mobile"].value',
      value: '555',
    })
    t.match(phone.phoneNumbers, [{ type: 'mobile', value: '555' }], 'add does so too')

    const nick = await change(t, scim, ann, { op: 'replace', path: 'nickName', value: 'Annie' })
    t.equal(nick.nickName, 'Annie', 'replacing what is absent adds it')
    const named = await change(t, scim, ann, { op: 'replace', path: 'name', value: { familyName: 'Baker' } })
    t.strictSame(named.name, { givenName: 'Ann', familyName: 'Baker' }, 'unspecified parts stay')
    const part = await change(t, scim, ann, { op: 'replace', path: 'name.middleName', value: 'M' })
    t.strictSame(part.name, { givenName: 'Ann', familyName: 'Baker', middleName: 'M' })
    const moved = await change(t, scim, ann, {
      op: 'replace',
      path: 'addresses[type eq "work"].streetAddress',
      value: '2 New Road',
    })
    t.match(moved.addresses, [{ type: 'work', streetAddress: '2 New Road', locality: 'Pune' }])

    const several = await change(t, scim, ann, {
      op: 'replace',
      path: 'emails[type eq "other"].display',
      value: 'new',
    })
    const displays = several.emails.map(({ type, display }: Body) => `${type} ${display ?? '-'}`).sort()
    t.strictSame(displays, ['home -', 'other new', 'other new', 'work -'], 'every match, and nothing else')
    const all = await change(t, scim, ann, { op: 'replace', path: 'emails', value: [email('home', 'z')] })
    t.strictSame(emailsOf(all), ['home z'], 'without a filter the whole set')

    const bob = await makeUser(t, scim, 'r44-bob')
    const role = await makeGroup(t, scim, 'Role 9', ann.id)
    const replaced = await changeGroup(t, scim, role, {
      op: 'replace',
      path: 'members',
      value: [{ value: bob.id }],
    })
    t.strictSame(memberIds(replaced), [bob.id], 'members as well')
  },
)

t.test(
  'RFC 7644 §3.5.2 (45): PATCH of a user answers it; of a group 204, unless attributes are asked',
  async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'r45', { title: 'Lead', nickName: 'A' })
    const role = await makeGroup(t, scim, 'Role 10')
    const retitle = (value: string) => patch({ op: 'replace', path: 'title', value })
    const full = await scim('PATCH', `/Users/${ann.id}`, retitle('1'))
    t.equal(full.status, 200)
    t.strictSame(full.body, (await scim('GET', `/Users/${ann.id}`)).body, 'the whole resource')
    t.equal(full.headers.get('etag'), full.body.meta.version)
    const some = await scim('PATCH', `/Users/${ann.id}?attributes=title`, retitle('2'))
    t.equal(some.status, 200)
    t.match(some.body, { id: ann.id, title: '2' })
    t.equal(some.body.nickName, undefined)

    const members = (op: string) => patch({ op, path: 'members', value: [{ value: ann.id }] })
    const silent = await scim('PATCH', `/Groups/${role.id}`, members('add'))
    t.equal(silent.status, 204)
    t.equal(silent.body, undefined, 'no body')
    t.equal(silent.headers.get('etag'), (await scim('GET', `/Groups/${role.id}`)).body.meta.version)
    const asked = await scim('PATCH', `/Groups/${role.id}?attributes=displayName`, members('remove'))
    t.equal(asked.status, 200, 'attributes: 200 is a MUST')
    t.match(asked.body, { id: role.id, displayName: 'Role 10' })
    t.equal(asked.body.members, undefined)
    const excluded = await scim('PATCH', `/Groups/${role.id}?excludedAttributes=members`, members('add'))
    t.equal(excluded.status, 200)
    t.match(excluded.body, { id: role.id, displayName: 'Role 10', meta: { resourceType: 'Group' } })
    t.equal(excluded.body.members, undefined)
    const withMembers = await scim('PATCH', `/Groups/${role.id}?attributes=members`, members('add'))
    t.strictSame(memberIds(withMembers.body), [ann.id], 'no change, and an answer all the same')
  },
)
