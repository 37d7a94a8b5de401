import t, { type Test } from 'tap'
import type { ScimRequest } from '../support/scim-client.ts'
import {
  ENTERPRISE,
  found,
  GROUP,
  makeGroup,
  makeUser,
  query,
  refused,
  startConformance,
  USER,
} from './setup.ts'

const { tenant } = await startConformance(t)

const invalid = async (t: Test, scim: ScimRequest, filter: string, endpoint = '/Users'): Promise<void> =>
  refused(t, await scim('GET', `${endpoint}${query({ filter })}`), 400, 'invalidFilter', `'${filter}'`)

t.test('RFC 7644 §3.4.2.2 (8): attribute names and operators in any case', async (t) => {
  const scim = await tenant()
  await makeUser(t, scim, 'r8-a', {
    schemas: [USER, ENTERPRISE],
    title: 'Lead',
    active: true,
    name: { familyName: 'Adams' },
    emails: [{ type: 'work', value: 'a@corp.example' }],
    [ENTERPRISE]: { department: 'Sales' },
  })
  await makeUser(t, scim, 'r8-b', { active: false })
  for (const filter of [
    'userName eq "r8-a@example.com"',
    'USERNAME EQ "r8-a@example.com"',
    'username Eq "r8-a@example.com"',
    'UserName Sw "r8-a"',
    'Name.FAMILYNAME cO "dam"',
    'NAME.familyname eW "ams"',
    'TITLE PR',
    'Title Pr AND Active eQ true',
    'userName EQ "nobody" OR title Pr',
    'NOT (userName SW "r8-b")',
    'Not(userName sw "r8-b")',
    'EMAILS[TYPE EQ "work" And VALUE Ew "@corp.example"]',
    'Emails.Type eq "work"',
    'active NE false',
    'title GT "Leac"',
    'META.RESOURCETYPE eq "User" and title pr',
    `${USER.toUpperCase()}:TITLE eq "lead"`,
    `${ENTERPRISE.toLowerCase()}:DEPARTMENT eq "sales"`,
  ]) {
    t.strictSame(await found(scim, filter), ['r8-a'], filter)
  }
  await makeGroup(t, scim, 'Role 1')
  t.strictSame(await found(scim, 'DISPLAYNAME Eq "Role 1"', '/Groups'), ['Role 1'])
})

t.test('RFC 7644 §3.4.2.2 (9): not binds tighter than and, and tighter than or', async (t) => {
  const scim = await tenant()
  await makeUser(t, scim, 'r9-a', { title: 'A' })
  await makeUser(t, scim, 'r9-b', { userType: 'B' })
  await makeUser(t, scim, 'r9-c', { nickName: 'C' })
  await makeUser(t, scim, 'r9-ac', { title: 'A', nickName: 'C' })
  await makeUser(t, scim, 'r9-bc', { userType: 'B', nickName: 'C' })
  const [a, b, c] = ['title eq "A"', 'userType eq "B"', 'nickName eq "C"']
  const expected: Record<string, string[]> = {
    [`${a} or ${b} and ${c}`]: ['r9-a', 'r9-ac', 'r9-bc'],
    [`(${a} or ${b}) and ${c}`]: ['r9-ac', 'r9-bc'],
    [`${a} or (${b} and ${c})`]: ['r9-a', 'r9-ac', 'r9-bc'],
    [`${b} and ${c} or ${a}`]: ['r9-a', 'r9-ac', 'r9-bc'],
    [`${a} and ${c} or ${b} and ${c}`]: ['r9-ac', 'r9-bc'],
    [`not (${a}) and ${c}`]: ['r9-bc', 'r9-c'],
    [`not (${a} and ${c})`]: ['r9-a', 'r9-b', 'r9-bc', 'r9-c'],
    [`not (${a}) or ${c}`]: ['r9-ac', 'r9-b', 'r9-bc', 'r9-c'],
    [`not (${a} or ${c})`]: ['r9-b'],
    [`${c} and not (${a}) and not (${b})`]: ['r9-c'],
    [`((${a}))`]: ['r9-a', 'r9-ac'],
    [`not (not (${a}))`]: ['r9-a', 'r9-ac'],
  }
  for (const [filter, names] of Object.entries(expected))
    t.strictSame(await found(scim, filter), names, filter)
})

t.test('RFC 7644 §3.4.2.2 (10): not( and not ( are one; without parentheses it is invalid', async (t) => {
  const scim = await tenant()
  await makeUser(t, scim, 'r10-a', { title: 'A' })
  await makeUser(t, scim, 'r10-b')
  for (const filter of [
    'not(title eq "A")',
    'not (title eq "A")',
    'not  ( title eq "A" )',
    'userName sw "r10-" and not(title pr)',
    '(not (title pr))',
  ]) {
    t.strictSame(await found(scim, filter), ['r10-b'], filter)
  }
  for (const filter of [
    'not title eq "A"',
    'not title pr',
    'userName pr and not title pr',
    'not',
    'not ()',
  ]) {
    await invalid(t, scim, filter)
  }
})

t.test(
  'RFC 7644 §3.4.2.2 (11): pr wants a value that is not empty; of a complex one, any part',
  async (t) => {
    const scim = await tenant()
    await makeUser(t, scim, 'r11-full', {
      schemas: [USER, ENTERPRISE],
      title: 'A',
      active: false,
      name: { familyName: 'Adams' },
      emails: [{ value: 'a@example.com' }],
      [ENTERPRISE]: { manager: { value: 'm' } },
    })
    await makeUser(t, scim, 'r11-empty', {
      schemas: [USER, ENTERPRISE],
      title: '',
      nickName: null,
      name: { familyName: '', givenName: null },
      emails: [],
      addresses: null,
      [ENTERPRISE]: { manager: null },
    })
    await makeUser(t, scim, 'r11-none')
    for (const attribute of [
      'title',
      'name',
      'name.familyName',
      'emails',
      'emails.value',
      `${ENTERPRISE}:manager`,
      `${ENTERPRISE}:manager.value`,
    ]) {
      t.strictSame(await found(scim, `${attribute} pr`), ['r11-full'], `${attribute} pr`)
      t.strictSame(
        await found(scim, `not (${attribute} pr)`),
        ['r11-empty', 'r11-none'],
        `not (${attribute} pr)`,
      )
    }
    for (const attribute of ['nickName', 'name.givenName', 'addresses', 'emails.type']) {
      t.strictSame(await found(scim, `${attribute} pr`), [], `${attribute} pr`)
    }
    for (const attribute of ['id', 'meta', 'meta.created', 'userName']) {
      t.equal(((await found(scim, `${attribute} pr`)) as string[]).length, 3, `${attribute} pr`)
    }
    t.strictSame(await found(scim, 'active pr and active eq false'), ['r11-full'], 'false is a value')
    await makeGroup(t, scim, 'Role 2')
    t.strictSame(await found(scim, 'members pr', '/Groups'), [])
    t.strictSame(await found(scim, 'not (members pr)', '/Groups'), ['Role 2'])
  },
)

t.test('RFC 7644 §3.4.2.2 (12): any value matches; inside brackets it is one and the same', async (t) => {
  const scim = await tenant()
  const emails = (work: string, home: string) => [
    { type: 'work', value: `r12@${work}`, primary: true },
    { type: 'home', value: `r12@${home}` },
  ]
  await makeUser(t, scim, 'r12-x', { emails: emails('x.example', 'y.example') })
  await makeUser(t, scim, 'r12-y', { emails: emails('y.example', 'x.example') })
  const expected: Record<string, string[]> = {
    'emails[type eq "work" and value co "@x"]': ['r12-x'],
    'emails.type eq "work" and emails.value co "@x"': ['r12-x', 'r12-y'],
    'emails[type eq "home" and value co "@x"]': ['r12-y'],
    'emails[primary eq true and value co "@y"]': ['r12-y'],
    'emails[type eq "work"].value co "@x"': ['r12-x'],
    'emails[type eq "work"] and emails[value co "@x"]': ['r12-x', 'r12-y'],
    'emails[type eq "fax" or value ew "@x.example"]': ['r12-x', 'r12-y'],
    'emails[not (type eq "work") and value co "@x"]': ['r12-y'],
    'not (emails[type eq "work" and value co "@x"])': ['r12-y'],
    'emails.value eq "R12@Y.EXAMPLE"': ['r12-x', 'r12-y'],
    'emails[type eq "fax"]': [],
    'emails[type eq "work" and type eq "home"]': [],
    'emails.type eq "work" and emails.type eq "home"': ['r12-x', 'r12-y'],
  }
  for (const [filter, names] of Object.entries(expected))
    t.strictSame(await found(scim, filter), names, filter)
})

t.test(
  'RFC 7644 §3.4.2.2 (13): no order among Booleans or bytes; a dateTime is a point in time',
  async (t) => {
    const scim = await tenant()
    const { meta } = await makeUser(t, scim, 'r13', {
      active: true,
      title: 'b',
      emails: [{ value: 'a@example.com', primary: true }],
      x509Certificates: [{ value: 'MIIDQzCCAqygAwIBAgICEAAwDQYJ' }],
    })
    for (const operator of ['gt', 'ge', 'lt', 'le', 'GT', 'Le']) {
      await invalid(t, scim, `active ${operator} true`)
      await invalid(t, scim, `emails[primary ${operator} false]`)
      await invalid(t, scim, `emails.primary ${operator} false`)
      await invalid(t, scim, `x509Certificates.value ${operator} "AAAA"`)
    }
    t.strictSame(await found(scim, 'active eq true'), ['r13'], 'equality is fine')
    t.strictSame(await found(scim, 'active ne true'), [])

    const at = (hours: number, more = 0): string => {
      const local = new Date(Date.parse(meta.created) + hours * 3_600_000 + more).toISOString().slice(0, -1)
      return `${local}${hours < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:00`
    }
    for (const attribute of ['meta.created', 'meta.lastModified']) {
      for (const hours of attribute === 'meta.created' ? [0, 2, -5] : [14, -12]) {
        const same = `"${at(hours)}"`
        for (const operator of ['eq', 'ge', 'le']) {
          t.strictSame(await found(scim, `${attribute} ${operator} ${same}`), ['r13'], `${operator} ${same}`)
        }
        for (const operator of ['gt', 'lt', 'ne']) {
          t.strictSame(await found(scim, `${attribute} ${operator} ${same}`), [], `${operator} ${same}`)
        }
        t.strictSame(await found(scim, `${attribute} lt "${at(hours, 1000)}"`), ['r13'], 'a second later')
        t.strictSame(await found(scim, `${attribute} gt "${at(hours, -1000)}"`), ['r13'], 'a second earlier')
      }
    }
    t.strictSame(await found(scim, 'title gt "A" and title lt "C"'), ['r13'], 'strings have an order')
    t.strictSame(await found(scim, 'title ge "B" and title le "B"'), ['r13'])
    t.strictSame(await found(scim, 'title gt "b"'), [])
  },
)

t.test('RFC 7644 §3.4.2.2 (14): strings as caseExact says; literals are JSON', async (t) => {
  const scim = await tenant()
  const title = 'He said "hi" \\ 100%_é😀\t\'--'
  const { id } = await makeUser(t, scim, 'R14-Ann', { externalId: 'Ext-Ann', title, active: true })
  await makeUser(t, scim, 'r14-bob', { externalId: 'jyoung', active: false })
  const one = ['R14-Ann']
  for (const [filter, names] of Object.entries({
    'userName eq "r14-ANN@example.com"': one,
    'userName co "14-aNN"': one,
    'userName sw "r14-a"': one,
    'userName ne "R14-ANN@EXAMPLE.COM"': ['r14-bob'],
    'externalId eq "Ext-Ann"': one,
    'externalId eq "ext-ann"': [],
    'externalId co "EXT"': [],
    'externalId sw "Ext"': one,
    'externalId sw "ext"': [],
    'externalId ew "ANN"': [],
    'externalId ne "ext-ann"': ['R14-Ann', 'r14-bob'],
    [`id eq "${id}"`]: one,
    [`id eq "${id.toUpperCase()}"`]: [],
    [`title eq ${JSON.stringify(title)}`]: one,
    'title eq "he SAID \\"hi\\" \\\\ 100%_\\u00e9\\ud83d\\ude00\\t\'--"': one,
    'title co "\\"HI\\""': one,
    'title co "\\\\"': one,
    'title co "\'--"': one,
    'title co "\\u00c9"': one,
    'title co "%"': one,
    'title co "_"': one,
    'userName co "%"': [],
    'userName co "_"': [],
    'userName sw "r__-"': [],
    'userName eq "r14-%"': [],
    'title eq null': ['r14-bob'],
    'title ne null': one,
    'active eq true': one,
    'active eq false': ['r14-bob'],
    'externalId eq jyoung': ['r14-bob'],
  })) {
    t.strictSame(await found(scim, filter), names, filter)
  }
  for (const filter of [
    "userName eq 'r14'",
    'userName eq "r14',
    'userName eq r14"',
    'title eq "\\q"',
    'title eq "\\u12"',
    'userName eq "a" "b"',
  ]) {
    await invalid(t, scim, filter)
  }
  for (const filter of ['title eq 5', 'title eq -1.5e3', 'title eq "\\u0000"', 'title co "\\ud800"']) {
    const { status } = await scim('GET', `/Users${query({ filter })}`)
    t.ok(
      status === 200 || status === 400,
      `'${filter}' is well-formed JSON, and no fault of the server: ${status}`,
    )
  }
})

t.test('RFC 7644 §3.4.2.2, §3.10 (15): fully-qualified names, with the dots of the URN; $ref', async (t) => {
  const scim = await tenant()
  const boss = await makeUser(t, scim, 'r15-boss')
  const ann = await makeUser(t, scim, 'r15-ann', {
    schemas: [USER, ENTERPRISE],
    name: { familyName: 'Adams' },
    emails: [{ type: 'work', value: 'ann@corp.example' }],
    [ENTERPRISE]: {
      department: 'Sales',
      manager: { value: boss.id, $ref: `../Users/${boss.id}` },
    },
  })
  const role = await makeGroup(t, scim, 'Role 3', ann.id)
  for (const filter of [
    `${USER}:userName eq "r15-ann@example.com"`,
    `${USER}:name.familyName eq "adams"`,
    `${USER}:emails.value ew "@corp.example"`,
    `${USER}:emails[type eq "work" and value co "corp"]`,
    `${USER}:externalId pr or ${USER}:name pr`,
    `${ENTERPRISE}:department eq "sales"`,
    `${ENTERPRISE}:manager.value eq "${boss.id}"`,
    `${ENTERPRISE}:manager eq "${boss.id}"`,
    `${ENTERPRISE}:manager pr and ${USER}:userName sw "r15-"`,
    `not (${ENTERPRISE}:department ne "Sales") and ${ENTERPRISE}:department pr`,
    `${ENTERPRISE}:manager.$ref ew "${boss.id}"`,
    `groups.$ref co "${role.id}"`,
    `groups[$ref ew "${role.id}"]`,
    `groups.value eq "${role.id}"`,
  ]) {
    t.strictSame(await found(scim, filter), ['r15-ann'], filter)
  }
  for (const filter of [
    `${GROUP}:displayName eq "role 3"`,
    `${GROUP}:members.value eq "${ann.id}"`,
    `${GROUP}:members[value eq "${ann.id}"]`,
    `members.$ref co "${ann.id}"`,
    'members[$ref pr]',
  ]) {
    t.strictSame(await found(scim, filter, '/Groups'), ['Role 3'], filter)
  }
  for (const filter of [
    'urn:example:nothing:1.0:User:department eq "Sales"',
    `${USER}:department eq "Sales"`,
    `${ENTERPRISE}:userName sw "r15"`,
  ]) {
    const answer = await found(scim, filter)
    t.ok(answer === 400 || (Array.isArray(answer) && answer.length === 0), `${filter}: never everybody`)
  }
})

t.test(
  'RFC 7644 §3.4.2.2 (16): what is no filter is 400 invalidFilter, never an unfiltered list',
  async (t) => {
    const scim = await tenant()
    await makeUser(t, scim, 'r16', { title: 'a' })
    for (const filter of [
      'userName xx "r16"',
      'userName like "r16"',
      'userName = "r16"',
      'userName == "r16"',
      'userName regex "r16.*"',
      'userName in ("r16")',
      'userName eq',
      'userName',
      'eq "r16"',
      'pr',
      '"r16" eq userName',
      '(userName eq "r16"',
      'userName eq "r16")',
      'userName eq "r16" and',
      'and userName eq "r16"',
      'userName eq "r16" or or title pr',
      'userName eq "r16" title pr',
      'userName eq "r16" xor title pr',
      'userName eq "r16"; title pr',
      'title pr "a"',
      'emails[type eq "work"',
      'emails type eq "work"]',
      'emails[]',
      'emails[type[value eq "x"]]',
      'emails[type eq "work"] eq "x"',
      'userName. eq "r16"',
      '.userName eq "r16"',
      'userName eq "r16" && title pr',
      '()',
      ' ',
      '',
    ]) {
      await invalid(t, scim, filter)
    }
    await makeGroup(t, scim, 'Role 4')
    for (const filter of ['displayName is "Role 4"', 'displayName', 'members[value eq']) {
      await invalid(t, scim, filter, '/Groups')
    }
    const deep = `${'('.repeat(5000)}userName pr${')'.repeat(5000)}`
    const nested = await scim('GET', `/Users${query({ filter: deep })}`)
    t.ok(
      nested.status === 200 || nested.status === 400,
      `a deep one is answered or refused: ${nested.status}`,
    )
  },
)

t.test(
  'RFC 7644 §3.4.2.2 (17): a comparison of a multi-valued complex attribute is of its value',
  async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'r17-ann', {
      userType: 'Employee',
      emails: [{ type: 'work', value: 'ann@example.com' }],
      phoneNumbers: [{ type: 'work', value: '555-1234' }],
    })
    await makeUser(t, scim, 'r17-bob', {
      userType: 'Contractor',
      emails: [{ type: 'work', value: 'bob@example.org' }],
    })
    await makeUser(t, scim, 'r17-eve', {
      userType: 'Intern',
      emails: [{ type: 'home', value: 'eve@foo.com' }],
      ims: [{ type: 'xmpp', value: 'eve@foo.com' }],
    })
    for (const [filter, names] of Object.entries({
      'emails co "example.com"': ['r17-ann'],
      'emails eq "ANN@example.com"': ['r17-ann'],
      'EMAILS sw "bob@"': ['r17-bob'],
      'emails ew "@foo.com"': ['r17-eve'],
      'not (emails co "example")': ['r17-eve'],
      'phoneNumbers co "1234"': ['r17-ann'],
      'emails co "work"': [],
      // The examples of §3.4.2.2, Figure 2.
      'userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")': [
        'r17-eve',
      ],
      'userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")': ['r17-ann'],
      'userType eq "Employee" and (emails.type eq "work")': ['r17-ann'],
      'userType eq "Employee" and emails[type eq "work" and value co "@example.com"]': ['r17-ann'],
      'emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]': [
        'r17-ann',
        'r17-eve',
      ],
    })) {
      t.strictSame(await found(scim, filter), names, filter)
    }
    await makeGroup(t, scim, 'Role 5', ann.id)
    t.strictSame(await found(scim, `members eq "${ann.id}"`, '/Groups'), ['Role 5'])
  },
)
