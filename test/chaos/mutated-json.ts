import { pickOf, type Random } from './figures.ts'
import { hostileTexts, insertedMembers, rawLiterals } from './hostile-values.ts'

type Place = readonly (string | number)[]
type Change = (random: Random, value: unknown, root: unknown) => unknown

const RAW = '\u0001raw:'
/** So many nodes are chosen from: the fixtures' bodies have fewer, except for long lists of members. */
const MOST_PLACES = 400

/** A value that is printed as this text, whatever it is. */
const rawJson = (text: string): string => `${RAW}${text}`

/** JSON with the raw texts in it as they are. */
export function printJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.replace(/"\\u0001raw:((?:[^"\\]|\\.)*)"/g, (_whole, raw: string) => JSON.parse(`"${raw}"`))
}

/** The value with one change at one place of it. */
export function mutateJson(random: Random, value: unknown): unknown {
  const places = placesOf(value)
  const drawn = pickOf(random, places)
  // A change of the message as a whole, or of what it says it is, is refused before anything else is looked at.
  const isOuter = drawn.length === 0 || drawn[0] === 'schemas'
  const place = isOuter && random(4) > 0 ? pickOf(random, places) : drawn
  const change = pickOf(random, changes)
  return changedAt(value, place, (at) => change(random, at, value))
}

/** A text of JSON with a member more in one of its objects, often one that is there already. */
export function insertMember(random: Random, json: string): string {
  const openings = [...json.matchAll(/\{(?=")/g)].map(({ index }) => index + 1)
  if (openings.length === 0) return json
  const at = pickOf(random, openings)
  return `${json.slice(0, at)}${pickOf(random, insertedMembers)},${json.slice(at)}`
}

function placesOf(root: unknown): Place[] {
  const places: Place[] = [[]]
  for (let n = 0; n < places.length && places.length < MOST_PLACES; n += 1) {
    const place = places[n] ?? []
    const value = place.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], root)
    if (typeof value !== 'object' || value === null) continue
    for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) places.push([...place, key])
  }
  return places
}

function changedAt(value: unknown, [key, ...rest]: Place, change: (at: unknown) => unknown): unknown {
  if (key === undefined) return change(value)
  if (Array.isArray(value)) {
    return value.map((each, index) => (index === key ? changedAt(each, rest, change) : each))
  }
  const members = Object.entries(value as object).map(([name, each]) => [
    name,
    name === key ? changedAt(each, rest, change) : each,
  ])
  return Object.fromEntries(members)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A list longer by copies of one of its elements. */
const repeated =
  (times: number): Change =>
  (random, value) => {
    if (!Array.isArray(value)) return Array.from({ length: Math.min(times, 60) }, () => value)
    const element = value.length === 0 ? null : pickOf(random, value)
    return [...value, ...Array.from({ length: times }, () => element)]
  }

const renamed =
  (rename: (random: Random, name: string) => string): Change =>
  (random, value) => {
    if (!isObject(value)) return { [rename(random, 'value')]: value }
    const names = Object.keys(value)
    if (names.length === 0) return { [rename(random, 'value')]: null }
    const chosen = pickOf(random, names)
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name === chosen ? rename(random, name) : name, each]),
    )
  }

function spliced(random: Random, text: string): string {
  const at = random(text.length + 1)
  return text.slice(0, at) + pickOf(random, hostileTexts) + text.slice(at + random(3))
}

const without: Change = (random, value) => {
  if (Array.isArray(value)) return value.toSpliced(random(Math.max(1, value.length)), 1)
  if (!isObject(value)) return undefined
  const names = Object.keys(value)
  const removed = names.length === 0 ? '' : pickOf(random, names)
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== removed))
}

const toOtherCase = (_random: Random, name: string): string =>
  name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase()

const changes: readonly Change[] = [
  // Another type.
  (random) => pickOf<unknown>(random, [null, true, false, '', [], {}]),
  (random) => pickOf(random, [0, -1, 1, 1.5, 2 ** 31, -(2 ** 53), 1e21, 1e-7, Number.MAX_VALUE]),
  (_random, value) => [value],
  (_random, value) => ({ value }),
  (_random, value) => (isObject(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)),
  (_random, value) => Number(JSON.stringify(value)),
  (random, value) => (typeof value === 'boolean' ? (value ? 'True' : 'False') : random(2) === 0),
  (_random, value) => (isObject(value) ? Object.values(value) : { 0: value }),
  (random) => rawJson(pickOf(random, rawLiterals)),
  // Another value.
  (random) => pickOf(random, hostileTexts),
  (random, value) => (typeof value === 'string' ? spliced(random, value) : pickOf(random, hostileTexts)),
  (random, value) => (typeof value === 'string' ? toOtherCase(random, value) : value),
  (random, _value, root) => {
    const place = pickOf(random, placesOf(root))
    return place.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], root)
  },
  // Other members and elements.
  without,
  without,
  renamed(toOtherCase),
  renamed((random) => pickOf(random, hostileTexts)),
  renamed((_random, name) => `urn:ietf:params:scim:schemas:core:2.0:User:${name}`),
  renamed((_random, name) => `${name}.value`),
  repeated(1),
  repeated(40),
  (random, value, root) =>
    random(20) === 0 ? repeated(1500)(random, value, root) : repeated(3)(random, value, root),
  (_random, value) => (Array.isArray(value) ? value.toReversed() : value),
]
