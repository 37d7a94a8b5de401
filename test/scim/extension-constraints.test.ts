import t from 'tap'
import type { Resource, ResourceType } from '../../src/scim/attribute.ts'
import { keepImmutable } from '../../src/scim/immutable.ts'
import { applyPatch, parsePatch } from '../../src/scim/patch.ts'
import { readResource } from '../../src/scim/resource.ts'
import { ACME, CLUB, customGroup, customUser, GRADE } from './custom-types.ts'
import { GROUP, PATCH_OP, refusal, USER } from './examples.ts'

const patchAs = (type: ResourceType, resource: Resource, ...Operations: object[]): Resource =>
  applyPatch(type, resource, parsePatch(type, { schemas: [PATCH_OP], Operations }))

/** What a PATCH makes of a user with these custom attributes. */
const patch = (acme: Resource, ...operations: object[]): unknown =>
  patchAs(customUser, { userName: 'b', [ACME]: acme }, ...operations)[ACME]

const acme = (name: string) => `${ACME}:${name}`

const fixed = { contract: 'C1', origins: ['a', 'B'], badge: { number: 1, serial: 's' } }

t.test('RFC 7643 §7: immutable, and PATCH', async (t) => {
  t.strictSame(
    patch({ tags: ['x'] }, { op: 'add', value: { [ACME]: fixed } }),
    { tags: ['x'], ...fixed },
    'may be set once',
  )
  for (const operation of [
    { op: 'replace', path: acme('contract'), value: 'c1' },
    { op: 'add', path: acme('origins'), value: ['A', 'b'] },
    { op: 'replace', path: acme('origins'), value: ['b', 'a'] },
    { op: 'replace', path: acme('badge'), value: { serial: 'S' } },
  ]) {
    t.strictSame(patch(fixed, operation), fixed, 'the same value is no change')
  }
  t.strictSame(patch(fixed, { op: 'replace', path: acme('badge.number'), value: 2 }), {
    ...fixed,
    badge: { number: 2, serial: 's' },
  })
  const cases: readonly [name: string, operation: object][] = [
    ['contract', { op: 'replace', path: acme('contract'), value: 'C2' }],
    ['contract', { op: 'remove', path: acme('contract') }],
    ['contract', { op: 'replace', path: acme('contract'), value: '' }],
    ['contract', { op: 'remove', path: ACME }],
    ['origins', { op: 'add', path: acme('origins'), value: 'c' }],
    ['origins', { op: 'remove', path: acme('origins[value eq "a"]') }],
    ['badge.serial', { op: 'remove', path: acme('badge') }],
    ['badge.serial', { op: 'replace', path: acme('badge.serial'), value: 't' }],
  ]
  for (const [name, operation] of cases) {
    t.throws(
      () => patch(fixed, operation),
      refusal('mutability', `${acme(name)} is immutable and has a value already`),
    )
  }
})

t.test('RFC 7644 §3.5.1: immutable, and PUT', async (t) => {
  const put = (before: object, after: object) =>
    keepImmutable(customUser, { userName: 'b', [ACME]: before }, { userName: 'c', ...after })
  t.strictSame(put({ kind: 'k' }, {}), { userName: 'c' })
  t.strictSame(put({}, { [ACME]: { contract: 'C1' } }), { userName: 'c', [ACME]: { contract: 'C1' } })
  t.strictSame(
    put({ contract: 'C1', kind: 'k' }, {}),
    { userName: 'c', [ACME]: { contract: 'C1' } },
    'left out, kept',
  )
  t.strictSame(put(fixed, { [ACME]: { contract: 'c1', badge: { number: 2 } } })[ACME], {
    ...fixed,
    badge: { number: 2, serial: 's' },
  })
  t.throws(
    () => put(fixed, { [ACME]: { contract: 'C2' } }),
    refusal('mutability', `${acme('contract')} is immutable and has a value already`),
  )
  const badge = { number: 1, serial: 's' }
  t.strictSame(put({ badge }, {})[ACME], { badge }, 'left out as a whole, kept as a whole')
  t.throws(
    () => put({ badge }, { [ACME]: { badge: { color: 'red' } } }),
    refusal('invalidValue', `${acme('badge.number')} is required`),
    'what is kept must be whole',
  )
})

const grade = (name: string) => `${GRADE}:${name}`

t.test('RFC 7643 §6: required where the extension is used', async (t) => {
  const post = (extensions: object) =>
    readResource(customUser, { schemas: [USER], userName: 'b', ...extensions })
  t.strictSame(post({}), { userName: 'b' })
  t.strictSame(post({ [GRADE]: { step: null } }), { userName: 'b' })
  const cases: readonly [extensions: object, name: string][] = [
    [{ [GRADE]: { step: 1 } }, grade('grade')],
    [{ [GRADE]: { grade: ' ', marks: ['a'] } }, grade('grade')],
    [{ [GRADE]: { grade: 'A', marks: [] } }, grade('marks')],
    [{ [ACME]: { badge: { color: 'red' } } }, acme('badge.number')],
    [{ [ACME]: { skills: [{ value: 's' }, { level: 1 }] } }, acme('skills.value')],
  ]
  for (const [extensions, name] of cases) {
    t.throws(() => post(extensions), refusal('invalidValue', `${name} is required`))
  }
})

t.test('RFC 7644 §3.5.2: what is required stays', async (t) => {
  const user: Resource = {
    userName: 'b',
    [GRADE]: { grade: 'A', marks: ['x', 'y'], step: 1 },
    [ACME]: { badge: { number: 1, color: 'red' }, skills: [{ value: 's', level: 1 }, { value: 't' }] },
  }
  const after = (...operations: object[]) => patchAs(customUser, user, ...operations)
  const kept: readonly [name: string, path: string][] = [
    [grade('grade'), grade('grade')],
    [grade('marks'), grade('marks')],
    [grade('marks'), grade('marks[value pr]')],
    [acme('badge.number'), acme('badge.number')],
    [acme('skills.value'), acme('skills[level eq 1].value')],
    [acme('skills.value'), acme('skills.value')],
  ]
  for (const [name, path] of kept) {
    t.throws(
      () => after({ op: 'remove', path }),
      refusal('mutability', `${name} is required and cannot be removed`),
    )
    t.throws(() => after({ op: 'replace', path, value: '' }), refusal('invalidValue', `${name} is required`))
  }
  t.match(after({ op: 'remove', path: grade('marks'), value: 'X' }), { [GRADE]: { marks: ['y'] } })
  t.match(after({ op: 'remove', path: acme('skills[value eq "s"]') }), {
    [ACME]: { skills: [{ value: 't' }] },
  })
  t.notOk('badge' in (after({ op: 'remove', path: acme('badge') })[ACME] as object))
  for (const operation of [
    { op: 'remove', path: GRADE },
    { op: 'replace', path: GRADE, value: null },
    { op: 'add', value: { [GRADE]: null } },
  ]) {
    t.notOk(GRADE in after(operation), 'the extension as a whole may go')
  }
  t.throws(
    () => patchAs(customUser, { userName: 'b' }, { op: 'add', path: grade('step'), value: 1 }),
    refusal('invalidValue', `${grade('grade')} is required`),
  )
  t.match(
    patchAs(
      customUser,
      { userName: 'b' },
      { op: 'add', path: grade('step'), value: 1 },
      { op: 'add', path: grade('grade'), value: 'A' },
      { op: 'add', path: grade('marks'), value: 'x' },
    ),
    { [GRADE]: { step: 1, grade: 'A', marks: ['x'] } },
    'one after the other',
  )
  t.strictSame(
    patchAs(customUser, { userName: 'b', [GRADE]: { step: 1 } }, { op: 'add', path: 'title', value: 'x' }),
    { userName: 'b', [GRADE]: { step: 1 }, title: 'x' },
    'a user from before the schema was so can still be changed',
  )
})

t.test('RFC 7643 §6: a required extension', async (t) => {
  const post = (extensions: object) =>
    readResource(customGroup, { schemas: [GROUP], displayName: 'G', ...extensions })
  t.throws(() => post({}), refusal('invalidValue', `${CLUB} is required`))
  const group = post({ [CLUB]: { motto: 'm' } })
  t.strictSame(group, { displayName: 'G', [CLUB]: { motto: 'm' } })
  for (const path of [CLUB, `${CLUB}:motto`]) {
    t.throws(
      () => patchAs(customGroup, group, { op: 'remove', path }),
      refusal('mutability', `${CLUB} is required and cannot be removed`),
    )
    t.throws(
      () => patchAs(customGroup, group, { op: 'replace', path, value: null }),
      refusal('invalidValue', `${CLUB} is required`),
    )
  }
  t.match(patchAs(customGroup, { displayName: 'G' }, { op: 'replace', path: 'displayName', value: 'H' }), {
    displayName: 'H',
  })
  t.match(
    patchAs(
      customGroup,
      group,
      { op: 'add', path: `${CLUB}:colors`, value: ['red'] },
      { op: 'remove', path: `${CLUB}:motto` },
    ),
    { [CLUB]: { colors: ['red'] } },
  )
})
