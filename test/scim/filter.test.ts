import t from 'tap'
import { type Filter, parseFilter, printFilter } from '../../src/scim/filter.ts'
import { groupType, refusal, userType } from './examples.ts'

const printed = (text: string): string => printFilter(parseFilter(userType, text))

const readings: readonly [rule: string, text: string, expected: string][] = [
  [
    'RFC 7644 §3.4.2.2: names and operators are case-insensitive',
    'USERNAME Eq "bjensen"',
    'userName eq "bjensen"',
  ],
  [
    'RFC 7644 §3.4.2.2: `and` binds tighter than `or`',
    'title pr or userType eq "a" and active eq true',
    'title pr or userType eq "a" and active eq true',
  ],
  [
    'RFC 7644 §3.4.2.2: grouping',
    '(title pr or userType eq "a") and active eq true',
    '(title pr or userType eq "a") and active eq true',
  ],
  ['RFC 7644 §3.4.2.2: superfluous groups fall away', '((title pr))', 'title pr'],
  ['RFC 7644 §3.4.2.2: `not(` of the grammar', 'not(title pr)', 'not (title pr)'],
  [
    'RFC 7644 §3.4.2.2: `not (` of the examples',
    'userType ne "a" and not (emails co "x" or emails.value co "y")',
    'userType ne "a" and not (emails.value co "x" or emails.value co "y")',
  ],
  [
    'RFC 7644 §3.4.2.2: a complex attribute stands for its value',
    'emails co "example.com"',
    'emails.value co "example.com"',
  ],
  [
    'RFC 7644 §3.4.2.2: value paths',
    'emails[type eq "work" and value co "@x"] or ims[type eq "xmpp"]',
    'emails[type eq "work" and value co "@x"] or ims[type eq "xmpp"]',
  ],
  [
    'RFC 7644 §3.4.2.2: URN of the core schema',
    'urn:ietf:params:scim:schemas:core:2.0:User:name.familyName sw "J"',
    'name.familyName sw "J"',
  ],
  [
    'RFC 7644 §3.4.2.2: URN of an extension, in any case',
    'URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:Department eq "x"',
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x"',
  ],
  ['RFC 7643 §2.1: `$` in a name', 'groups.$ref eq "x"', 'groups.$ref eq "x"'],
  [
    'RFC 7644 §3.4.2.2: meta',
    'meta.lastModified gt "2011-05-13T04:42:34Z"',
    'meta.lastModified gt "2011-05-13T04:42:34Z"',
  ],
  ['RFC 7644 §3.4.2.2: values are JSON', 'title eq "a\\"b\\u00e9\\\\)] "', 'title eq "a\\"bé\\\\)] "'],
  ['RFC 7643 §2.5: null is unassigned', 'title eq null or title ne null', 'not (title pr) or title pr'],
  ['Entra: a Boolean as a string', 'active eq "False"', 'active eq false'],
  ['Entra: a value without quotes', 'externalId eq jyoung', 'externalId eq "jyoung"'],
  ['Entra: a number for a string', 'externalId eq 007', 'externalId eq "007"'],
  [
    'Entra: a value path with a sub-attribute',
    'emails[type eq "work"].value eq "x"',
    'emails[type eq "work" and value eq "x"]',
  ],
  [
    'Entra: an extension attribute without its URN',
    'id eq "1" and manager eq "2"',
    'id eq "1" and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "2"',
  ],
]

for (const [rule, text, expected] of readings) {
  t.test(rule, async (t) => {
    t.equal(printed(text), expected)
    t.equal(printed(expected), expected, 'what is printed reads the same again')
  })
}

t.test('RFC 7644 §3.4.2.2: every operator', async (t) => {
  for (const op of ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le']) {
    t.match(parseFilter(userType, `userName ${op} "x"`), { kind: 'compare', op, value: 'x' })
  }
})

t.test('RFC 7644 §3.4.2.2: `or` and `and` group to the left', async (t) => {
  const shape = ({ kind, ...rest }: Filter): unknown =>
    kind === 'and' || kind === 'or'
      ? [shape((rest as { left: Filter }).left), kind, shape((rest as { right: Filter }).right)]
      : (rest as { path: { attribute: { name: string } } }).path.attribute.name
  t.strictSame(shape(parseFilter(userType, 'title pr or locale pr and timezone pr or active pr')), [
    ['title', 'or', ['locale', 'and', 'timezone']],
    'or',
    'active',
  ])
})

t.test('a group’s members can be asked for by value', async (t) => {
  t.match(parseFilter(groupType, 'members[value eq "x"]'), {
    kind: 'valuePath',
    path: { attribute: { name: 'members' } },
    filter: {
      kind: 'compare',
      path: { attribute: { name: 'members' }, subAttribute: { name: 'value' } },
      value: 'x',
    },
  })
})

const refusals: readonly [rule: string, text: string, message: string][] = [
  ['an empty filter', ' ', 'the filter is empty'],
  ['an unknown attribute', 'shoeSize eq "x"', "character 1: User has no attribute 'shoeSize' to filter by"],
  [
    'an unknown sub-attribute',
    'title pr and name.nick eq "x"',
    "character 14: User has no attribute 'name.nick' to filter by",
  ],
  [
    'an unknown part of an element',
    'emails[size eq "x"]',
    "character 8: 'emails' has no attribute 'size' to filter by",
  ],
  [
    'an unknown part behind an element',
    'emails[type eq "work"].size eq "x"',
    "character 23: 'emails' has no sub-attribute 'size'",
  ],
  [
    'a name of Object.prototype',
    'constructor eq "x"',
    "character 1: User has no attribute 'constructor' to filter by",
  ],
  [
    '`__proto__`',
    'emails.__proto__ pr',
    "character 1: User has no attribute 'emails.__proto__' to filter by",
  ],
  ['an unknown operator', 'title like "x"', "character 7: 'like' is no operator"],
  ['a missing operator', 'title', 'character 6: expected an operator, found the end'],
  ['a missing value', 'title eq', 'character 9: expected a value, found the end'],
  ['a missing term', 'title pr and', 'character 13: expected an attribute, found the end'],
  ['an unclosed string', 'title eq "x', 'the string at character 10 is not closed'],
  ['a string that is no JSON', 'title eq "\\x"', 'the string at character 10 is not a JSON string'],
  ['an unclosed group', '(title pr', "character 10: expected ')', found the end"],
  ['an unclosed value path', 'emails[type eq "x"', "character 19: expected ']', found the end"],
  [
    'something behind the end',
    'title pr title pr',
    "character 10: expected 'and', 'or' or the end, found 'title'",
  ],
  ['`not` without a group', 'not title pr', "character 1: User has no attribute 'not' to filter by"],
  [
    'a value path of a single value',
    'name[familyName eq "x"]',
    "character 1: 'name' does not have elements to choose from",
  ],
  [
    'a value path within another',
    'emails[emails[type eq "x"]]',
    "character 8: 'emails' has no attribute 'emails' to filter by",
  ],
  [
    'an order of Booleans (RFC 7644 §3.4.2.2, Table 3)',
    'active gt true',
    "character 1: 'active' is a boolean, which 'gt' does not compare",
  ],
  [
    'an order of binary values (RFC 7644 §3.4.2.2, Table 3)',
    'x509Certificates.value lt "x"',
    "character 1: 'x509Certificates.value' is a binary, which 'lt' does not compare",
  ],
  ['an order with null', 'title gt null', "character 1: 'title' cannot be compared with null by 'gt'"],
  [
    'a Boolean compared with a text',
    'active eq "yes"',
    "character 1: 'active' must be compared with a boolean",
  ],
  [
    'a moment that is a date only (RFC 7643 §2.3.5)',
    'meta.created gt "2011-05-13"',
    "character 1: 'meta.created' must be compared with a dateTime",
  ],
  [
    'a complex attribute without a value',
    'name eq "x"',
    "character 1: 'name' has no single value to compare: name one of its sub-attributes",
  ],
  [
    'a password (RFC 7643 §4.1.1)',
    'password sw "a"',
    "character 1: User has no attribute 'password' to filter by",
  ],
  [
    'U+0000, which nothing kept contains',
    'title eq "\\u0000"',
    "character 1: 'title' must be compared with a string",
  ],
  ['single quotes', "title eq 'x'", "character 1: 'title' must be compared with a string"],
]

for (const [what, text, message] of refusals) {
  t.test(`RFC 7644 §3.4.2.2: invalidFilter for ${what}`, async (t) => {
    t.throws(() => parseFilter(userType, text), refusal('invalidFilter', message))
  })
}

t.test('bounds on length, depth and number of terms', async (t) => {
  const long = `title eq "${'x'.repeat(4096)}"`
  t.throws(
    () => parseFilter(userType, long),
    refusal('invalidFilter', 'the filter is longer than 4096 characters'),
  )
  const nested = (depth: number) => `${'('.repeat(depth)}title pr${')'.repeat(depth)}`
  t.equal(printed(nested(16)), 'title pr')
  t.throws(
    () => parseFilter(userType, nested(17)),
    refusal('invalidFilter', 'character 17: the filter is nested deeper than 16 levels'),
  )
  const terms = (count: number) => Array(count).fill('title pr').join(' or ')
  t.equal(printed(terms(50)), terms(50))
  t.throws(() => parseFilter(userType, terms(51)), refusal('tooMany', 'the filter has more than 50 terms'))
})
