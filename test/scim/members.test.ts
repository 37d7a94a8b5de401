import t from 'tap'
import { type MemberChange, readMemberValues, splitMemberOperations } from '../../src/scim/members.ts'
import { parsePatch } from '../../src/scim/patch.ts'
import { groupType, PATCH_OP, refusal, rfc } from './examples.ts'

const split = (...Operations: object[]) =>
  splitMemberOperations(parsePatch(groupType, { schemas: [PATCH_OP], Operations }))

const changes: readonly [rule: string, operation: object, expected: MemberChange][] = [
  [
    'Entra: $ref is null',
    { op: 'Add', path: 'members', value: [{ $ref: null, value: 'a' }] },
    { kind: 'add', values: ['a'] },
  ],
  ['an object', { op: 'add', path: 'Members', value: { VALUE: 'a' } }, { kind: 'add', values: ['a'] }],
  ['Postman: a string', { op: 'add', path: 'members', value: 'a' }, { kind: 'add', values: ['a'] }],
  [
    'strings, without repeats',
    { op: 'add', path: 'members', value: ['b', 'a', 'b'] },
    { kind: 'add', values: ['b', 'a'] },
  ],
  ['adding nobody', { op: 'add', path: 'members', value: [] }, { kind: 'add', values: [] }],
  [
    'by filter',
    { op: 'add', path: 'members[value eq "a"]', value: { display: 'A' } },
    { kind: 'add', values: ['a'] },
  ],
  ['the sub-attribute', { op: 'add', path: 'members.value', value: 'a' }, { kind: 'add', values: ['a'] }],
  [
    'replace',
    { op: 'replace', path: 'members', value: [{ value: 'a' }, { value: 'b' }] },
    { kind: 'replace', values: ['a', 'b'] },
  ],
  ['replace with nobody: []', { op: 'replace', path: 'members', value: [] }, { kind: 'replace', values: [] }],
  [
    'replace with nobody: null',
    { op: 'replace', path: 'members', value: null },
    { kind: 'replace', values: [] },
  ],
  ['replace with nobody: ""', { op: 'replace', path: 'members', value: '' }, { kind: 'replace', values: [] }],
  [
    'replace by itself',
    { op: 'replace', path: 'members[value eq "a"]', value: { value: 'a' } },
    { kind: 'add', values: ['a'] },
  ],
  ['RFC 7644 §3.5.2.2: all', { op: 'remove', path: 'members' }, { kind: 'replace', values: [] }],
  [
    'Entra: the value says who',
    { op: 'Remove', path: 'members', value: [{ $ref: null, value: 'a' }] },
    { kind: 'remove', values: ['a'] },
  ],
  [
    'an empty list removes nobody',
    { op: 'Remove', path: 'members', value: [] },
    { kind: 'remove', values: [] },
  ],
  [
    'RFC 7644 §3.5.2.2: one',
    { op: 'remove', path: 'members[value eq "a"]' },
    { kind: 'remove', values: ['a'] },
  ],
  [
    'by filter with `or`',
    { op: 'remove', path: 'members[value eq "a" or value eq "b"]' },
    { kind: 'remove', values: ['a', 'b'] },
  ],
  [
    'the sub-attribute of one',
    { op: 'remove', path: 'members[value eq "a"].value' },
    { kind: 'remove', values: ['a'] },
  ],
  ['the sub-attribute of all', { op: 'remove', path: 'members.value' }, { kind: 'replace', values: [] }],
]

for (const [rule, operation, expected] of changes) {
  t.test(`RFC 7644 §3.5.2: members, ${rule}`, async (t) => {
    t.strictSame(split(operation), { attributes: [], members: [expected] })
  })
}

t.test('RFC 7644 §3.5.2.2: other filters are for the directory to evaluate', async (t) => {
  for (const filter of [
    'type eq "User"',
    'value sw "a"',
    'value eq "a" and type eq "User"',
    'not (value eq "a")',
  ]) {
    t.match(split({ op: 'remove', path: `members[${filter}]` }).members, [
      { kind: 'removeWhere', filter: { kind: String } },
    ])
  }
})

t.test('RFC 7644 §3.5.2: members and other attributes part ways, each in order', async (t) => {
  const { attributes, members } = split(
    { op: 'add', value: { displayName: 'A', members: [{ value: 'a' }] } },
    { op: 'remove', path: 'members[value eq "a"]' },
    { op: 'replace', path: 'externalId', value: 'e' },
    { op: 'add', path: 'members', value: 'a' },
  )
  t.match(attributes, [
    { op: 'add', target: { path: { attribute: { name: 'displayName' } } }, value: 'A' },
    { op: 'replace', target: { path: { attribute: { name: 'externalId' } } }, value: 'e' },
  ])
  t.strictSame(members, [
    { kind: 'add', values: ['a'] },
    { kind: 'remove', values: ['a'] },
    { kind: 'add', values: ['a'] },
  ])
})

t.test('RFC 7643 §4.2: parts of a member are immutable', async (t) => {
  const cases: readonly [op: string, path: string, value?: unknown][] = [
    ['replace', 'members[value eq "a"].value', 'b'],
    ['replace', 'members[value eq "a"]', { value: 'b' }],
    ['replace', 'members.value', 'b'],
    ['replace', 'members[value eq "a"].$ref', 'x'],
    ['remove', 'members[value eq "a"].type'],
    ['remove', 'members.$ref'],
  ]
  for (const [op, path, value] of cases) {
    t.throws(() => split({ op, path, value }), refusal('mutability', / is immutable: /), `${op} ${path}`)
  }
  t.throws(
    () => split({ op: 'replace', path: 'members[value eq "a"].display', value: 'x' }),
    refusal('invalidPath', /'members' has no sub-attribute 'display'$/),
  )
})

t.test('RFC 7644 §3.5.2.3: members can be added by value only', async (t) => {
  t.throws(
    () => split({ op: 'add', path: 'members[type eq "User"]', value: { value: 'a' } }),
    refusal('noTarget', 'a filter on members must name them by value when members are added'),
  )
})

t.test('RFC 7643 §4.2: a member is named by a text', async (t) => {
  for (const value of [
    5,
    true,
    {},
    { value: 5 },
    { value: '' },
    { value: null },
    { $ref: 'x' },
    ['a'],
    null,
    '',
  ]) {
    t.throws(
      () => readMemberValues([value]),
      refusal('invalidValue', 'members.value must be a non-empty string'),
    )
  }
  t.throws(() => readMemberValues(['a\u0000']), refusal('invalidValue', /^members.value contains U\+0000/))
  t.strictSame(readMemberValues(undefined), [])
  t.strictSame(readMemberValues(null), [])
})

t.test('RFC 7644 §3.5.2: the examples', async (t) => {
  const example = (name: string) => splitMemberOperations(parsePatch(groupType, rfc(name))).members
  const babs = '2819c223-7f76-453a-919d-413861904646'
  t.strictSame(example('rfc7644-3.5.2.1-patch_op-add_members'), [{ kind: 'add', values: [babs] }])
  t.strictSame(example('rfc7644-3.5.2.2-patch_op-remove_one_member'), [
    { kind: 'remove', values: ['2819c223-7f76-...413861904646'] },
  ])
  t.strictSame(example('rfc7644-3.5.2.2-patch_op-remove_all_members'), [{ kind: 'replace', values: [] }])
  t.strictSame(example('rfc7644-3.5.2.2-patch_op-remove_and_add_one_member'), [
    { kind: 'remove', values: ['2819c223...919d-413861904646'] },
    { kind: 'add', values: ['08e1d05d...473d93df9210'] },
  ])
  t.strictSame(example('rfc7644-3.5.2.3-patch_op-replace_all_members'), [
    { kind: 'replace', values: [] },
    { kind: 'add', values: [babs, '08e1d05d-121c-4561-8b96-473d93df9210'] },
  ])
})
