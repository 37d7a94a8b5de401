import fc from 'fast-check'
import t from 'tap'
import type { Resource, ResourceType } from '../../src/scim/attribute.ts'
import { parseFilter } from '../../src/scim/filter.ts'
import { matchesFilter } from '../../src/scim/filter-match.ts'
import { applyPatch, parsePatch } from '../../src/scim/patch.ts'
import { parseProjection, project } from '../../src/scim/project.ts'
import { equalResources, foldResource, readResource, renderResource } from '../../src/scim/resource.ts'
import { ACME, customUser } from './custom-types.ts'
import { PATCH_OP, refusal, USER } from './examples.ts'

const read = (acme: object) =>
  readResource(customUser, { schemas: [USER], userName: 'b', [ACME]: acme })[ACME] as Resource | undefined

const patchAs = (type: ResourceType, resource: Resource, ...Operations: object[]): Resource =>
  applyPatch(type, resource, parsePatch(type, { schemas: [PATCH_OP], Operations }))

/** What a PATCH makes of a user with these custom attributes. */
const patch = (acme: Resource, ...operations: object[]): unknown =>
  patchAs(customUser, { userName: 'b', [ACME]: acme }, ...operations)[ACME]

const acme = (name: string) => `${ACME}:${name}`

t.test('RFC 7643 §2.4: several simple values in a body', async (t) => {
  t.strictSame(
    read({
      TAGS: ['a', 'B', 'A', null, ''],
      codes: ['a', 'A', 'a'],
      levels: [2, 1, 2],
      seen: ['2026-01-01T00:00:00Z', '2026-01-01T01:00:00+01:00', '2026-01-02T00:00:00Z'],
      answers: ['True', false, true],
    }),
    {
      tags: ['a', 'B'],
      codes: ['a', 'A'],
      levels: [2, 1],
      seen: ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
      answers: [true, false],
    },
    'without repeats',
  )
  t.strictSame(read({ tags: 'a', levels: 1, answers: false }), { tags: ['a'], levels: [1], answers: [false] })
  for (const tags of [null, [], '', [null], ['']]) t.equal(read({ tags }), undefined)
  t.strictSame(
    readResource(customUser, { schemas: [USER], userName: 'b', [acme('tags')]: 'a', shoeSize: 4.5 }),
    { userName: 'b', [ACME]: { tags: ['a'] } },
    'RFC 7644 §3.10: qualified names, and no others',
  )
})

t.test('RFC 7643 §2.3: each simple value is of its type', async (t) => {
  const cases: readonly [acme: object, message: string][] = [
    [{ tags: ['a', 5] }, `${acme('tags')} must be of type string`],
    [{ tags: [['a']] }, `${acme('tags')} must be of type string`],
    [{ tags: [{ value: 'a' }] }, `${acme('tags')} must be of type string`],
    [{ tags: ['\u0000'] }, `${acme('tags')} contains U+0000 or half of a surrogate pair`],
    [{ levels: [1.5] }, `${acme('levels')} must be of type integer: send a number without a fraction`],
    [{ levels: '1' }, `${acme('levels')} must be of type integer: send a number without a fraction`],
    [
      { seen: ['today'] },
      `${acme('seen')} must be of type dateTime: send a text such as 2011-05-13T04:42:34Z`,
    ],
    [{ answers: ['maybe'] }, `${acme('answers')} must be of type Boolean: send true or false`],
    [
      { tags: Array.from({ length: 201 }, (_, index) => `t${index}`) },
      `${acme('tags')} has more than 200 values`,
    ],
  ]
  for (const [sent, message] of cases) t.throws(() => read(sent), refusal('invalidValue', message))
})

t.test('RFC 7644 §3.5.2: several simple values, changed', async (t) => {
  const before = { tags: ['a', 'B'], levels: [1, 2] }
  const tags = (op: string, path: string, value?: unknown) =>
    (patch(before, { op, path, value }) as Resource).tags
  const path = acme('tags')
  t.strictSame(tags('add', path, ['c', 'd']), ['a', 'B', 'c', 'd'])
  t.strictSame(tags('add', path, 'c'), ['a', 'B', 'c'])
  t.strictSame(tags('add', path, ['A', 'b']), ['a', 'B'], 'what exists is not added again')
  t.strictSame(tags('add', path, []), ['a', 'B'])
  t.strictSame(tags('add', acme('TAGS'), 'c'), ['a', 'B', 'c'], 'in any case')
  t.strictSame(tags('replace', path, ['c', 'C']), ['c'])
  t.equal(tags('replace', path, null), undefined)
  t.equal(tags('remove', path), undefined)
  t.strictSame(tags('remove', path, ['A', 'x']), ['B'], 'a value says which')
  t.strictSame(tags('remove', path, []), ['a', 'B'], 'an empty list says none')
  t.strictSame(tags('remove', `${path}[value eq "A"]`), ['B'])
  t.strictSame(tags('remove', `${path}[value sw "z"]`), ['a', 'B'])
  t.strictSame(tags('remove', `${path}[value eq "a" or value eq "b"]`), undefined)
  t.strictSame(tags('remove', `${path}[value eq "a"].value`), ['B'])
  t.strictSame(tags('replace', `${path}[value eq "a"]`, 'c'), ['c', 'B'])
  t.strictSame(tags('replace', `${path}[value eq "a"].value`, 'c'), ['c', 'B'])
  t.strictSame(tags('replace', `${path}[value eq "a"]`, 'b'), ['b'])
  t.strictSame(tags('replace', `${path}[value eq "a"]`, ''), ['B'])
  t.strictSame(tags('add', `${path}[value eq "c"]`, 'c'), ['a', 'B', 'c'])
  t.strictSame(tags('add', `${path}.value`, 'c'), ['a', 'B', 'c'], 'the values are the attribute')
  t.strictSame(patch(before, { op: 'remove', path: acme('levels'), value: 1 }), { ...before, levels: [2] })
  t.strictSame(patch(before, { op: 'remove', path: `${acme('levels')}[value ge 2]` }), {
    ...before,
    levels: [1],
  })
  t.strictSame(patch(before, { op: 'add', value: { [acme('tags')]: ['c'], [ACME]: { levels: 3 } } }), {
    tags: ['a', 'B', 'c'],
    levels: [1, 2, 3],
  })
  const onlyTags = { tags: ['a'] }
  t.equal(patch(onlyTags, { op: 'remove', path: `${path}[value eq "a"]` }), undefined, 'nothing is left')
  const faults: readonly [op: object, message: string][] = [
    [
      { op: 'add', path: acme('levels'), value: ['1'] },
      `${acme('levels')} must be of type integer: send a number without a fraction`,
    ],
    [
      { op: 'replace', path: `${acme('levels')}[value eq 7.5]`, value: 7 },
      `${acme('levels')} must be of type integer: send a number without a fraction`,
    ],
    [
      { op: 'replace', path: `${path}[value eq "a"]`, value: ['x', 'y'] },
      `${path}: a path with a filter takes one value`,
    ],
  ]
  for (const [operation, message] of faults) {
    t.throws(() => patch(before, operation), refusal('invalidValue', message))
  }
})

const listsOf = [
  {
    name: 'tags',
    value: fc
      .string({ minLength: 1, maxLength: 3 })
      .filter((text) => text.isWellFormed() && !text.includes('\0')),
  },
  { name: 'codes', value: fc.constantFrom('a', 'A', 'b', 'B') },
  { name: 'levels', value: fc.integer() },
  { name: 'answers', value: fc.boolean() },
  {
    name: 'seen',
    value: fc
      .date({ min: new Date('2000-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString()),
  },
] as const

t.test('RFC 7644 §3.5.2: to add values and take them away again changes nothing', async (t) => {
  for (const { name, value } of listsOf) {
    const values = fc.array(value as fc.Arbitrary<unknown>, { maxLength: 6 })
    fc.assert(
      fc.property(values, values, (had, more) => {
        const before: Resource = { userName: 'b', ...(had.length > 0 && { [ACME]: read({ [name]: had }) }) }
        const added = patchAs(customUser, before, { op: 'add', path: acme(name), value: more })
        t.ok(equalResources(patchAs(customUser, added, { op: 'add', path: acme(name), value: more }), added))
        const kept = new Set((before[ACME] as Resource | undefined)?.[name] as unknown[] | undefined)
        const all = ((added[ACME] as Resource | undefined)?.[name] as unknown[] | undefined) ?? []
        const fresh = all.filter((each) => !kept.has(each))
        t.ok(
          equalResources(
            patchAs(customUser, added, { op: 'remove', path: acme(name), value: fresh }),
            before,
          ),
        )
      }),
      { numRuns: 100 },
    )
  }
})

t.test('RFC 7644 §3.4.2.2: what a filter finds is what a value path takes away', async (t) => {
  const levels = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 })
  const operator = fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le')
  fc.assert(
    fc.property(levels, operator, fc.integer({ min: 0, max: 5 }), (sent, op, literal) => {
      const user: Resource = { userName: 'b', [ACME]: read({ levels: sent }) }
      const path = `${acme('levels')}[value ${op} ${literal}]`
      const after = patchAs(customUser, user, { op: 'remove', path })
      t.equal(matchesFilter(parseFilter(customUser, path), user), !equalResources(after, user))
      t.notOk(matchesFilter(parseFilter(customUser, path), after))
    }),
    { numRuns: 200 },
  )
})

const facts = { id: '1', created: 'c', lastModified: 'l', version: 'v', location: 'http://localhost/1' }

t.test('RFC 7643 §3.3: rendered, folded', async (t) => {
  const values = {
    skills: [{ value: 'Ski', level: 2 }],
    tags: ['B', 'a'],
    seen: ['2026-01-01T01:00:00+01:00'],
    levels: [1],
    codes: ['A'],
    badge: { number: 1, color: 'Red' },
  }
  const rendered = renderResource(customUser, { ...facts, resource: { userName: 'b', [ACME]: values } })
  t.strictSame(rendered.schemas, [USER, ACME])
  t.strictSame(rendered[ACME], values)
  t.strictSame(foldResource(customUser, { [ACME]: values })[ACME], {
    ...values,
    skills: [{ value: 'ski', level: 2 }],
    tags: ['b', 'a'],
    seen: [Date.UTC(2026, 0, 1)],
    badge: { number: 1, color: 'red' },
  })
})

t.test('RFC 7643 §7: returned', async (t) => {
  const values = {
    tags: ['a'],
    note: 'n',
    kind: 'k',
    badge: { number: 1, color: 'red', pin: '0', issuer: 'i' },
    skills: [{ value: 's', level: 1 }],
  }
  const rendered = { schemas: [USER, ACME], id: '1', userName: 'b', [ACME]: values }
  const shown = (query: object) => project(customUser, rendered, parseProjection(customUser, query))[ACME]
  const only = (attributes: string) => shown({ attributes })
  const without = (excludedAttributes: string) => shown({ excludedAttributes })
  const { note: _note, ...usual } = { ...values, badge: { number: 1, color: 'red', issuer: 'i' } }
  const kind = { kind: 'k' }
  t.strictSame(shown({}), usual, 'on request only')
  t.strictSame(only('userName'), kind, 'always')
  t.strictSame(only(acme('note')), { note: 'n', kind: 'k' })
  t.strictSame(only(ACME), usual, 'the schema is not a request for each of its attributes')
  t.strictSame(only(acme('badge.pin')), { ...kind, badge: { pin: '0', issuer: 'i' } })
  t.strictSame(only(acme('badge.color')), { ...kind, badge: { color: 'red', issuer: 'i' } })
  t.strictSame(only(`${acme('badge')},${acme('badge.pin')}`), { ...kind, badge: values.badge })
  t.strictSame(only(acme('tags.value')), { ...kind, tags: ['a'] })
  t.strictSame(only(acme('skills.level')), { ...kind, skills: [{ level: 1 }] })
  t.strictSame(without(ACME), kind)
  t.strictSame(without(`${acme('kind')},${acme('tags')}`), {
    kind: 'k',
    badge: usual.badge,
    skills: values.skills,
  })
  t.strictSame(without(`${acme('badge.issuer')},${acme('badge.color')},${acme('note')}`), {
    ...usual,
    badge: { number: 1, issuer: 'i' },
  })
  const noKind = { ...rendered, [ACME]: { note: 'n' } }
  t.strictSame(project(customUser, noKind, parseProjection(customUser, {})), {
    schemas: [USER],
    id: '1',
    userName: 'b',
  })
})

t.test('RFC 7643 §2.3.8: a complex value', async (t) => {
  t.strictSame(read({ badge: { NUMBER: 1, color: '', shape: 'x' } }), { badge: { number: 1 } })
  t.strictSame(
    patch(
      { badge: { number: 1, color: 'red' } },
      { op: 'replace', path: acme('badge'), value: { number: 2 } },
    ),
    {
      badge: { number: 2, color: 'red' },
    },
  )
  t.throws(
    () => read({ badge: 'x' }),
    refusal('invalidValue', `${acme('badge')} must be of type complex: send an object`),
  )
  t.strictSame(read({ site: { $ref: 'x', room: 'r' } }), { site: { $ref: 'x', room: 'r' } })
  t.strictSame(
    patch({ site: { $ref: 'x', room: 'r' } }, { op: 'replace', path: acme('site'), value: { $ref: 'y' } }),
    { site: { $ref: 'y', room: 'r' } },
    'without a value it is no reference that changes as one',
  )
  t.throws(() => read({ site: 'x' }), refusal('invalidValue', /must be of type complex/))
})

t.test('RFC 7643 §2.4: several complex values', async (t) => {
  const skills = [
    { value: 'ski', type: 'work', primary: true, level: 1 },
    { value: 'ski', type: 'home' },
  ]
  const path = acme('skills')
  const patched = (operation: object) => (patch({ skills }, operation) as Resource).skills
  t.strictSame(patched({ op: 'add', path, value: [{ value: 'SKI', type: 'Work', level: 2 }] }), [
    { value: 'SKI', type: 'Work', primary: true, level: 2 },
    skills[1],
  ])
  t.strictSame(patched({ op: 'add', path, value: { value: 'x', type: 'any', primary: true } }), [
    { ...skills[0], primary: false },
    skills[1],
    { value: 'x', type: 'any', primary: true },
  ])
  t.strictSame(patched({ op: 'add', path, value: 'x' }), [...skills, { value: 'x' }])
  t.strictSame(patched({ op: 'replace', path: `${path}[level ge 1].level`, value: 5 }), [
    { ...skills[0], level: 5 },
    skills[1],
  ])
  t.throws(
    () => patched({ op: 'replace', path: `${path}[level eq 1.5].value`, value: 'x' }),
    refusal('invalidValue', /skills\.level must be of type integer/),
  )

  const amounts = [
    { value: 1, currency: 'EUR' },
    { value: 1, currency: 'USD' },
  ]
  t.strictSame(read({ amounts: [...amounts, { value: 1, currency: 'eur' }] }), {
    amounts: [{ value: 1, currency: 'eur' }, amounts[1]],
  })
  const left = (value: unknown) =>
    (patch({ amounts, kind: 'k' }, { op: 'remove', path: acme('amounts'), value }) as Resource).amounts
  t.strictSame(left([{ value: 1, currency: 'EUR' }]), [amounts[1]])
  t.equal(left([{ value: 1 }]), undefined)

  t.strictSame(
    patch(
      { labels: [{ type: 'a', display: 'A' }] },
      { op: 'remove', path: acme('labels[type eq "a"].type') },
    ),
    { labels: [{ display: 'A' }] },
    'a part that describes elsewhere is what there is to say here',
  )
  t.throws(() => read({ labels: ['x'] }), refusal('invalidValue', /labels must be of type complex/))
})

t.test('RFC 7643 §7: canonical values are suggestions', async (t) => {
  t.strictSame(read({ skills: [{ value: 's', type: 'elsewhere' }] }), {
    skills: [{ value: 's', type: 'elsewhere' }],
  })
})
