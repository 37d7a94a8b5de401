import fc from 'fast-check'
import t from 'tap'
import type { JsonObject, Resource, ResourceType } from '../../src/scim/attribute.ts'
import { ScimError } from '../../src/scim/error.ts'
import { splitMemberOperations } from '../../src/scim/members.ts'
import { applyPatch, parsePatch } from '../../src/scim/patch.ts'
import { renderResource } from '../../src/scim/resource.ts'
import { ACME, CLUB, customGroup, customUser, GRADE } from './custom-types.ts'
import { ENTERPRISE, PATCH_OP, USER } from './examples.ts'

/** A failure prints the seed and the path to it; FUZZ_SEED runs it again. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 8000)
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }

const words = (text: string): string[] => text.split(' ')

const userNames = [
  ...words('userName title name name.givenName emails emails.value emails.primary x509Certificates roles'),
  ...words('groups id meta.version schemas password displayName manager tags tags.value levels seen'),
  ...words('contract badge badge.number skills skills.level amounts grade'),
  ...[USER, ENTERPRISE, ACME, GRADE, `${ACME}:tags`, `${ACME}:badge.serial`, `${GRADE}:marks`],
]

const groupNames = [
  ...words('id meta.version schemas displayName members members.value motto colors externalId'),
  ...[CLUB, `${CLUB}:colors`],
]

const hostile = [
  ...words('__proto__ constructor constructor.prototype prototype __proto__.polluted toString'),
  ...words('hasOwnProperty valueOf emails.__proto__ name.constructor tags.length badge.__proto__'),
  ...words('urn:__proto__ [[[[[[ ] ＴＩＴＬＥ tıtle'),
  `${ACME}:__proto__`,
  `${ACME}:constructor.prototype`,
  `${ENTERPRISE}:__proto__`,
  'emails[__proto__ eq "x"]',
  'emails[constructor.prototype pr].value',
  'emails[type eq "__proto__"].display',
  '__proto__[value eq "x"]',
  'skills[value eq "__proto__"]',
  `${'('.repeat(50)}`,
  `emails[${'('.repeat(40)}value pr${')'.repeat(40)}]`,
  `emails[${'not ('.repeat(12)}value pr${')'.repeat(12)}]`,
  'emails[emails[emails[value pr]]]',
  '\u0000',
  'title\u0000',
  'title\u202e',
  '\ud800',
  '💥[💥 eq "💥"]',
]

const literal = fc.oneof(
  fc.constantFrom('"x"', '"work"', '"__proto__"', '1', '1.5', 'true', 'null', '"', '"\\u0000"', '{}', 'x'),
  fc.string({ maxLength: 4, unit: 'binary' }).map((text) => JSON.stringify(text)),
)
const operator = fc.constantFrom('eq', 'ne', 'co', 'gt', 'le', 'pr', 'EQ', '', 'in')
const part = fc.constantFrom(...words('value type primary level currency number __proto__ constructor'))
const term = fc.tuple(part, operator, literal).map((words) => words.join(' '))
const filter = fc.oneof(
  term,
  fc.tuple(term, fc.constantFrom('and', 'or', 'not'), term).map((words) => words.join(' ')),
)

/** As JSON.parse makes them, with `__proto__` as a name like any other. */
const objectOf = (key: fc.Arbitrary<string>, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.array(fc.tuple(key, value), { maxLength: 4 }).map((entries) => {
    const members = entries.map((entry) => entry.map((each) => JSON.stringify(each)).join(':'))
    return JSON.parse(`{${members.join(',')}}`)
  })

const plausible = fc.constantFrom<unknown>(
  ...['x', '', null, true, 'True', 5, '2026-01-01T00:00:00Z'],
  ...[['a', 'c'], [1, 3], { value: 'x', type: 'work' }, [{ value: 'x', primary: true }], { number: 2 }],
)
const odd = fc.constantFrom<unknown>(
  ...[
    1.5,
    -0,
    1e308,
    '\u0000',
    '\ud800',
    '__proto__',
    'constructor',
    '{"value":"x","__proto__":{"polluted":1}}',
  ],
)

function operationsOn(names: readonly string[]): fc.Arbitrary<object[]> {
  const name = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...names) },
    { weight: 3, arbitrary: fc.constantFrom(...hostile) },
    { weight: 1, arbitrary: fc.string({ maxLength: 8, unit: 'binary' }) },
  )
  const sub = fc.constantFrom('', '', '.value', '.type', '.__proto__', '.constructor', ']')
  const path = fc.oneof(
    { weight: 6, arbitrary: name },
    {
      weight: 3,
      arbitrary: fc.tuple(name, filter, sub).map(([each, inside, rest]) => `${each}[${inside}]${rest}`),
    },
    { weight: 1, arbitrary: fc.array(name, { maxLength: 3 }).map((each) => each.join('.')) },
  )
  const key = fc.oneof(
    part,
    fc.constantFrom('display', '$ref', 'VALUE', 'color', 'serial', 'givenName'),
    path,
  )
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      { weight: 6, arbitrary: plausible },
      { weight: 1, arbitrary: odd },
      { weight: 1, arbitrary: fc.string({ maxLength: 6, unit: 'binary' }) },
      { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
      { weight: 2, arbitrary: objectOf(key, tie('value')) },
    ),
  }))
  const op = fc.constantFrom(...['add', 'Add', 'replace', 'Replace', 'replace', 'remove', 'Remove', 'move'])
  const withPath = fc.record({ op, path, value }, { requiredKeys: ['op', 'path'] })
  const pathless = fc.record({ op, value: objectOf(key, value) })
  return fc.array(fc.oneof({ weight: 4, arbitrary: withPath }, { weight: 1, arbitrary: pathless }), {
    minLength: 1,
    maxLength: 3,
  })
}

const prototypes: readonly object[] = [
  ...[Object, Array, String, Number, Boolean, Function, Map, Set, RegExp, Date, Error, Promise, Symbol],
].map((each) => each.prototype)

/** Every own property of them, with all that can be said of it, in one row. */
const snapshot = (): unknown[] =>
  prototypes.flatMap((each) =>
    Reflect.ownKeys(each).flatMap((own) => {
      const { value, get, set, writable, enumerable, configurable } =
        Object.getOwnPropertyDescriptor(each, own) ?? {}
      return [own, value, get, set, writable, enumerable, configurable]
    }),
  )

const frozen = <Value>(each: Value): Value => {
  if (typeof each === 'object' && each !== null) Object.values(Object.freeze(each)).forEach(frozen)
  return each
}

const user: Resource = frozen({
  userName: 'b',
  name: { givenName: 'Barbara' },
  emails: [{ value: 'w', type: 'work', primary: true }, { value: 'h' }],
  [ENTERPRISE]: { manager: { value: 'm' } },
  [ACME]: {
    tags: ['a', 'b'],
    levels: [1, 2],
    contract: 'C1',
    badge: { number: 1, serial: 's' },
    skills: [{ value: 's', level: 1 }],
    amounts: [{ value: 1, currency: 'EUR' }],
  },
  [GRADE]: { grade: 'A', marks: ['x'] },
})
const group: Resource = frozen({ displayName: 'G', [CLUB]: { motto: 'm', colors: ['red'] } })

function changed(type: ResourceType, resource: Resource, Operations: object[]): Resource | undefined {
  try {
    const { attributes } = splitMemberOperations(parsePatch(type, { schemas: [PATCH_OP], Operations }))
    return applyPatch(type, resource, attributes)
  } catch (error) {
    // The frozen resource, written to, would show as a TypeError.
    if (!(error instanceof ScimError)) throw error
    return undefined
  }
}

/** That every object within is plain, and every name one that the tables declare. */
function requirePlain(each: unknown): void {
  if (typeof each !== 'object' || each === null) return
  const expected = Array.isArray(each) ? Array.prototype : Object.prototype
  if (Object.getPrototypeOf(each) !== expected) throw new Error('an object with another prototype')
  for (const [own, inner] of Object.entries(each)) {
    if (own in Object.prototype) throw new Error(`a member called ${own}`)
    requirePlain(inner)
  }
}

/** How many values there are, at any depth. */
const count = (each: unknown): number =>
  typeof each === 'object' && each !== null
    ? Object.values(each as JsonObject).reduce<number>((sum, inner) => sum + count(inner), 1)
    : 1

for (const [type, resource, names] of [
  [customUser, user, userNames],
  [customGroup, group, groupNames],
] as const) {
  t.test(`any PATCH of a ${type.name} is carried out or refused, and does nothing else`, async (t) => {
    const before = snapshot()
    const facts = { id: '1', created: 'c', lastModified: 'l', version: 'v', location: 'x', resource }
    let carriedOut = 0
    fc.assert(
      fc.property(operationsOn(names), (Operations) => {
        const after = changed(type, resource, Operations)
        if (!after) return
        carriedOut++
        requirePlain(after)
        // What is kept is what the tables declare: nothing of it is lost when it is shown.
        const {
          schemas: _schemas,
          id: _id,
          meta: _meta,
          ...shown
        } = renderResource(type, { ...facts, resource: after })
        if (count(shown) !== count(after)) throw new Error('something is kept that no schema declares')
        if (Object.hasOwn(Object.prototype, 'polluted')) throw new Error('a prototype was changed')
      }),
      { numRuns: Math.ceil(numRuns / 2), ...seed },
    )
    t.ok(carriedOut > numRuns / 100, 'not all are refused')
    t.ok(
      snapshot().every((each, index) => Object.is(each, before[index])) &&
        snapshot().length === before.length,
      'no prototype of the language was changed',
    )
  })
}
