import t from 'tap'
import { parseFilter } from '../../src/scim/filter.ts'
import { matchesFilter } from '../../src/scim/filter-match.ts'
import { ENTERPRISE, userType } from './examples.ts'

const barbara = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', ENTERPRISE],
  id: 'Id-1',
  externalId: 'Ext-1',
  userName: 'BJensen',
  name: { familyName: "O'Malley" },
  active: false,
  title: '',
  emails: [
    { type: 'work', value: 'bjensen@example.com', primary: true },
    { type: 'home', value: 'babs@jensen.org' },
  ],
  phoneNumbers: [],
  photos: [{ value: 'https://example.com/A' }],
  [ENTERPRISE]: { department: 'Tours', manager: { value: 'Id-2' } },
  meta: {
    resourceType: 'User',
    created: '2011-05-13T04:42:34Z',
    lastModified: '2011-05-13T06:42:34.500+02:00',
  },
}

const cases: readonly [rule: string, matching: readonly string[], others: readonly string[]][] = [
  [
    'RFC 7643 §2.2: caseExact false',
    [
      'userName eq "bjensen"',
      'userName eq "ＢＪensen"',
      'userName sw "BJ"',
      'userName ew "SEN"',
      'name.familyName co "o\'m"',
    ],
    ['userName eq "bjense"', 'userName sw "jensen"'],
  ],
  [
    'RFC 7643 §3.1: id and externalId are case-exact',
    ['id eq "Id-1"', 'externalId eq "Ext-1"', 'photos.value eq "https://example.com/A"'],
    ['id eq "id-1"', 'externalId eq "ext-1"', 'photos eq "https://example.com/a"', 'manager eq "id-2"'],
  ],
  [
    'RFC 7644 §3.4.2.2: pr, for which empty is absent',
    ['userName pr', 'active pr', 'name pr', 'emails pr', 'manager pr', 'meta pr', 'schemas pr'],
    ['title pr', 'phoneNumbers pr', 'addresses pr', 'nickName pr', 'name.givenName pr', 'emails.display pr'],
  ],
  [
    'RFC 7644 §3.4.2.2: any value of several',
    ['emails.type eq "home"', 'emails co "jensen.org"', 'emails.type ne "work"', 'emails.primary eq true'],
    ['emails.type eq "other"', 'emails.primary eq false'],
  ],
  [
    'RFC 7644 §3.4.2.2: a value path holds for one element',
    [
      'emails[type eq "work" and value co "example"]',
      'emails.type eq "work" and emails.value co ".org"',
      'emails[not (type eq "work")]',
    ],
    ['emails[type eq "work" and value co ".org"]', 'phoneNumbers[type pr]', 'phoneNumbers[not (type pr)]'],
  ],
  [
    'RFC 7644 §3.4.2.2: ne holds where there is no value',
    ['nickName ne "x"', 'userName ne "x"', 'active ne true', 'nickName eq null', 'emails[display ne "x"]'],
    ['userName ne "BJENSEN"', 'userName eq null', 'active ne false'],
  ],
  [
    'RFC 7644 §3.4.2.2: moments compare across offsets',
    [
      'meta.lastModified eq "2011-05-13T04:42:34.500Z"',
      'meta.lastModified gt "2011-05-13T04:42:34Z"',
      'meta.created ge "2011-05-13T05:42:34+01:00"',
      'meta.created lt "2011-05-13T04:42:35Z"',
    ],
    ['meta.created gt "2011-05-13T04:42:34Z"', 'meta.created le "2011-05-13T05:42:33+01:00"'],
  ],
  [
    'RFC 7644 §3.4.2.2: order of texts',
    ['userName gt "a"', 'userName ge "BJENSEN"', 'userName le "bjensen"', 'userName lt "c"'],
    ['userName lt "a"', 'userName gt "bjensen"', 'nickName gt "a"', 'nickName lt "z"'],
  ],
  [
    'RFC 7644 §3.4.2.2: logic',
    [
      'active eq false and userName pr',
      'active eq true or userName pr',
      'not (active eq true)',
      'active eq true and title pr or userName pr',
    ],
    [
      'active eq true and userName pr',
      'active eq true or title pr',
      'active eq true and (title pr or userName pr)',
    ],
  ],
  [
    'RFC 7643 §3.3: extensions',
    [`${ENTERPRISE}:department eq "tours"`, 'department eq "tours"', `${ENTERPRISE}:manager.value eq "Id-2"`],
    [`${ENTERPRISE}:costCenter pr`],
  ],
]

for (const [rule, matching, others] of cases) {
  t.test(rule, async (t) => {
    for (const text of matching) t.equal(matchesFilter(parseFilter(userType, text), barbara), true, text)
    for (const text of others)
      t.equal(matchesFilter(parseFilter(userType, text), barbara), false, `not: ${text}`)
  })
}
