import fc from 'fast-check'
import t from 'tap'
import type { AttributePath, JsonObject, Resource } from '../../src/scim/attribute.ts'
import { ScimError } from '../../src/scim/error.ts'
import { type Filter, parseFilter, printFilter } from '../../src/scim/filter.ts'
import { matchesFilter } from '../../src/scim/filter-match.ts'
import { applyPatch, parsePatch } from '../../src/scim/patch.ts'
import { parseAttributePath } from '../../src/scim/path.ts'
import { equalResources, readResource } from '../../src/scim/resource.ts'
import { ENTERPRISE, PATCH_OP, USER, userType } from './examples.ts'

const path = (name: string): AttributePath => {
  const found = parseAttributePath(userType, name)
  if (!found) throw new Error(`no attribute ${name}`)
  return found
}

const text = fc.string({ unit: 'grapheme' }).filter((each) => each.isWellFormed() && !each.includes('\0'))
const textOperator = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le')

const term = (names: readonly string[]): fc.Arbitrary<Filter> =>
  fc.oneof(
    fc.record({ kind: fc.constant('present'), path: fc.constantFrom(...names).map(path) }),
    fc.record({
      kind: fc.constant('compare'),
      path: fc.constantFrom(...names).map(path),
      op: textOperator,
      value: text,
    }),
  ) as fc.Arbitrary<Filter>

const combined = (leaf: fc.Arbitrary<Filter>): fc.Arbitrary<Filter> =>
  fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        left: tie('filter'),
        right: tie('filter'),
      }) as fc.Arbitrary<Filter>,
      fc.record({ kind: fc.constant('not'), filter: tie('filter') }) as fc.Arbitrary<Filter>,
    ),
  })).filter

const inElement = combined(term(['emails.value', 'emails.type', 'emails.display']))
const filters = combined(
  fc.oneof(
    term([
      'userName',
      'name.familyName',
      'emails.value',
      'externalId',
      'manager.value',
      `${ENTERPRISE}:department`,
    ]),
    fc.record({
      kind: fc.constant('valuePath'),
      path: fc.constant(path('emails')),
      filter: inElement,
    }) as fc.Arbitrary<Filter>,
    fc.record({
      kind: fc.constant('compare'),
      path: fc.constant(path('active')),
      op: fc.constantFrom('eq', 'ne'),
      value: fc.boolean(),
    }) as fc.Arbitrary<Filter>,
  ),
)

t.test('a printed filter parses to the same filter (RFC 7644 §3.4.2.2)', async (t) => {
  fc.assert(
    fc.property(filters, (filter) => {
      const printed = printFilter(filter)
      fc.pre(printed.length <= 4096)
      t.same(parseFilter(userType, printed), filter)
    }),
    { numRuns: 300 },
  )
})

t.test('any text is a filter or invalidFilter, never another failure (RFC 7644 §3.4.2.2)', async (t) => {
  const piece = fc.constantFrom(
    '(',
    ')',
    '[',
    ']',
    '"',
    '\\',
    ' ',
    'not',
    'and',
    'or',
    'eq',
    'pr',
    'emails',
    'userName',
    '.value',
    '"x"',
    '.',
    'urn:',
    'null',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 40 }), (pieces) => {
      try {
        matchesFilter(parseFilter(userType, pieces.join('')), { userName: 'x' })
      } catch (error) {
        t.type(error, ScimError)
        t.match(error, { status: 400, scimType: /^(invalidFilter|tooMany)$/ })
      }
    }),
    { numRuns: 500 },
  )
})

const names = fc.constantFrom(
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'constructor.prototype',
  '__proto__.polluted',
  'title',
  'name',
  'name.givenName',
  'emails',
  'emails.value',
  'emails[type eq "work"]',
  'emails[type eq "work"].value',
  'emails[__proto__ eq "x"]',
  'emails[type eq "__proto__"].display',
  'active',
  'roles',
  'manager',
  ENTERPRISE,
  USER,
  `${ENTERPRISE}:__proto__`,
  `${ENTERPRISE}:manager`,
  'userName',
  'groups',
  'id',
)

/** Values as JSON.parse gives them, in which `__proto__` is a name like any other. */
const hostileValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('x', '', null, true, 'True', 5, '{"value":"x","__proto__":{"polluted":1}}'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(
        fc.tuple(fc.oneof(names, fc.constantFrom('value', 'type', 'primary', 'display')), tie('value')),
        { maxLength: 4 },
      )
      .map((entries) =>
        JSON.parse(
          `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
        ),
      ),
  ),
})).value

const operation = fc.record(
  { op: fc.constantFrom('add', 'Replace', 'remove'), path: names, value: hostileValue },
  { requiredKeys: ['op'] },
)

const barbara: Resource = {
  userName: 'b',
  name: { givenName: 'Barbara' },
  emails: [{ value: 'w', type: 'work', primary: true }],
  [ENTERPRISE]: { manager: { value: 'm' } },
}

const frozen = <Value>(value: Value): Value => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

const prototypes = () =>
  [Object.prototype, Array.prototype, Function.prototype].map((each) =>
    Object.getOwnPropertyNames(each).join(),
  )

t.test(
  'hostile names and values change neither the resource given nor any prototype (RFC 7644 §3.5.2)',
  async (t) => {
    const input = frozen(structuredClone(barbara))
    const before = prototypes()
    let applied = 0
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 4 }), (Operations) => {
        try {
          const after = applyPatch(userType, input, parsePatch(userType, { schemas: [PATCH_OP], Operations }))
          applied++
          t.equal(Object.getPrototypeOf(after), Object.prototype)
          t.notMatch(JSON.stringify(after), 'polluted":1}')
        } catch (error) {
          // A frozen input would show as a TypeError here.
          t.type(error, ScimError)
        }
        t.strictSame(prototypes(), before)
        t.strictSame(input, barbara)
      }),
      { numRuns: 1000 },
    )
    t.ok(applied > 0)
  },
)

t.test('hostile bodies make no other resource than a clean one (RFC 7643 §2.1)', async (t) => {
  const before = prototypes()
  const body = fc.array(fc.tuple(names, hostileValue), { maxLength: 6 })
  fc.assert(
    fc.property(body, (entries) => {
      const members = entries
        .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
        .join('')
      const sent: JsonObject = JSON.parse(
        `{"schemas":["${USER}"]${entries.length > 0 ? ',' : ''}${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
      )
      try {
        const resource = readResource(userType, sent)
        t.equal(Object.getPrototypeOf(resource), Object.prototype, members)
        for (const name of Object.keys(resource)) {
          t.ok(name === ENTERPRISE || userType.schema.attributes.some((each) => each.name === name), name)
        }
      } catch (error) {
        t.type(error, ScimError)
      }
      t.strictSame(prototypes(), before)
    }),
    { numRuns: 500 },
  )
})

t.test('the same PATCH again changes nothing (RFC 7644 §3.5.2.1)', async (t) => {
  const value = fc.constantFrom('x', 'y', 'Z')
  const email = fc.record(
    { value, type: fc.constantFrom('work', 'home', 'other'), primary: fc.boolean() },
    { requiredKeys: ['value'] },
  )
  const update = fc.oneof(
    fc.record({
      op: fc.constantFrom('add', 'replace'),
      path: fc.constantFrom(
        'title',
        'name.givenName',
        'manager',
        'emails[type eq "work"].value',
        'emails[type eq "home"].display',
      ),
      value,
    }),
    fc.record({
      op: fc.constantFrom('add', 'replace'),
      path: fc.constant('emails'),
      value: fc.array(email, { maxLength: 1 }),
    }),
    fc.record({
      op: fc.constantFrom('add', 'replace'),
      value: fc.record({ nickName: value, 'name.familyName': value, active: fc.boolean() }),
    }),
  )
  fc.assert(
    fc.property(update, (operation) => {
      const operations = parsePatch(userType, { schemas: [PATCH_OP], Operations: [operation] })
      const once = applyPatch(userType, barbara, operations)
      t.ok(equalResources(applyPatch(userType, once, operations), once))
    }),
    { numRuns: 300 },
  )
})
