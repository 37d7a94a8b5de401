import * as fc from 'fast-check'
import type { Attribute, AttributePath, ResourceType } from '../../src/scim/attribute.ts'

/** Few, so that they meet; and those that databases and patterns treat in a way of their own. */
export const texts = [
  'a',
  'A',
  'ab',
  'B',
  'é',
  'É',
  '%',
  '_',
  '\\',
  "'",
  '"',
  '\u{1F600}',
  '\uFFFD',
  'z z',
  'true',
]
export const numbers = [-1, 0, 1, 1.5, 10]
export const moments = [
  '2020-01-01T00:00:00Z',
  '2020-01-01T02:00:00+02:00',
  '2020-01-01T00:00:00.001Z',
  '2999-12-31T23:59:59Z',
]

export const leafOf = ({ attribute, subAttribute }: AttributePath): Attribute => subAttribute ?? attribute

const textOperator = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le')
const orderOperator = fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le')
const equality = fc.constantFrom('eq', 'ne')
const spaced = (...parts: fc.Arbitrary<unknown>[]) => fc.tuple(...parts).map((each) => each.join(' '))

/** A comparison that the attribute's type allows. `known` are values that resources have. */
function comparison(path: AttributePath, name: string, known: readonly unknown[]): fc.Arbitrary<string> {
  const at = fc.constant(name)
  const presence = fc.constantFrom(`${name} pr`, `${name} eq null`, `${name} ne null`)
  const literals = (values: readonly unknown[]) =>
    fc.constantFrom(...values.map((each) => JSON.stringify(each)))
  switch (leafOf(path).type) {
    case 'complex':
      return fc.constant(`${name} pr`)
    case 'boolean':
      return fc.oneof(presence, spaced(at, equality, literals([true, false])))
    case 'integer':
    case 'decimal':
      return fc.oneof(presence, spaced(at, orderOperator, literals(numbers)))
    case 'dateTime':
      return fc.oneof(presence, spaced(at, orderOperator, literals([...moments, ...known])))
    case 'binary':
      return fc.oneof(presence, spaced(at, equality, literals(['YQ==', 'yq=='])))
    default:
      return fc.oneof(presence, spaced(at, textOperator, literals([...texts, ...known])))
  }
}

/** Filters of every form on every attribute of a type. `known` gives values that resources have at a path. */
export function filtersOf(
  type: ResourceType,
  known: (path: AttributePath) => readonly unknown[] = () => [],
): fc.Arbitrary<string> {
  const named = [...type.paths].filter(([, { attribute }]) => attribute.returned !== 'never')
  const term = fc.constantFrom(...named).chain(([name, path]) => comparison(path, name, known(path)))
  const many = named.filter(([, { attribute, subAttribute }]) => attribute.multiValued && !subAttribute)
  const valuePath = fc.constantFrom(...many).chain(([name, path]) => {
    const parts = named.filter(([, each]) => each.subAttribute && each.attribute === path.attribute)
    const part = fc
      .constantFrom(...parts)
      .chain(([, each]) => comparison(each, each.subAttribute?.name ?? '', known(each)))
    return fc.oneof(part, joined(part), negated(part)).map((inner) => `${name}[${inner}]`)
  })
  const leaf = fc.oneof({ weight: 3, arbitrary: term }, { weight: 1, arbitrary: valuePath })
  return fc.oneof(leaf, negated(leaf), joined(leaf), joined(fc.oneof(joined(leaf), negated(leaf))))
}

const joined = (operand: fc.Arbitrary<string>) =>
  fc.tuple(operand, fc.constantFrom('and', 'or'), operand).map(([a, word, b]) => `(${a} ${word} ${b})`)
const negated = (operand: fc.Arbitrary<string>) => operand.map((inner) => `not (${inner})`)

/** What a grammar, a regular expression or a database might stumble over. */
const hostile = [
  ...'()[]"\\.:$ \t\n\0\u2028\u{1F600}\uD800%\'`;',
  ' and ',
  ' or ',
  ' not ',
  'not(',
  ' eq ',
  ' pr',
  'null',
  'true',
  '1e999',
  '-',
  '\\u0000',
  '\\uD800',
  '"',
  'urn:ietf:params:scim:schemas:core:2.0:User:',
  '__proto__',
  'constructor.prototype',
  '['.repeat(100),
  '('.repeat(1000),
  'not ('.repeat(50),
  'a'.repeat(5000),
  ' and id pr'.repeat(60),
]

const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat({ max: 4 }),
  insert: fc.oneof(fc.constant(''), fc.constantFrom(...hostile), fc.string({ unit: 'binary', maxLength: 3 })),
})

/** Filters with some characters taken out and others put in. */
export const mutatedFilters = (type: ResourceType): fc.Arbitrary<string> =>
  fc.tuple(filtersOf(type), fc.array(change, { minLength: 1, maxLength: 3 })).map(([filter, changes]) =>
    changes.reduce((text, { at, remove, insert }) => {
      const start = Math.floor(at * text.length)
      return text.slice(0, start) + insert + text.slice(start + remove)
    }, filter),
  )
