import { type AttributePath, type JsonObject, subAttributeNamed } from './attribute.ts'
import { invalidValue } from './error.ts'
import { fold } from './fold.ts'

/** Sub-attributes that say something about a value and are nothing without one (RFC 7643 §2.4). */
const descriptive: ReadonlySet<string> = new Set(['type', 'primary', 'display'])

/** Every operation of a PATCH goes through all values of an attribute, and a person has a handful. */
const MAX_ELEMENTS = 200

export const describesOnly = (element: JsonObject): boolean =>
  Object.keys(element).every((name) => descriptive.has(name))

/** RFC 7643 §2.4: no (type, value) twice, and at most one primary. Of two such elements the later one's parts hold. */
export function collapse(path: AttributePath, elements: readonly JsonObject[]): JsonObject[] {
  const byKey = new Map<string, JsonObject>()
  for (const element of elements) {
    const key = elementKey(path, element)
    byKey.set(key, { ...byKey.get(key), ...element })
  }
  const collapsed = [...byKey.values()]
  if (collapsed.length > MAX_ELEMENTS)
    throw invalidValue(`${path.attribute.name} has more than ${MAX_ELEMENTS} values`)
  if (collapsed.filter(isPrimary).length > 1) {
    throw invalidValue(`${path.attribute.name}: more than one value is primary`)
  }
  return collapsed
}

/** RFC 7644 §3.5.2: a value that becomes primary takes that from the one that was. */
export const demote = (elements: readonly JsonObject[]): JsonObject[] =>
  elements.map((element) => (isPrimary(element) ? { ...element, primary: false } : element))

export const isPrimary = (element: JsonObject): boolean => element.primary === true

/** Takes out the elements that equal one of `unwanted`: in value and, where that one has it, type. */
export function withoutElements(
  path: AttributePath,
  elements: readonly JsonObject[],
  unwanted: readonly JsonObject[],
): JsonObject[] {
  const keys = new Set(
    unwanted.map((each) => (hasOnlyValue(each) ? valueKey(path, each) : elementKey(path, each))),
  )
  return elements.filter((each) => !keys.has(elementKey(path, each)) && !keys.has(valueKey(path, each)))
}

const hasOnlyValue = (element: JsonObject): boolean =>
  element.value !== undefined && element.type === undefined

/** The key by which elements are the same; elements without a `value`, such as addresses, are so only as a whole. */
function elementKey(path: AttributePath, element: JsonObject): string {
  if (element.value !== undefined)
    return JSON.stringify(['value', 'type'].map((name) => foldedPart(path, element, name)))
  return JSON.stringify(path.attribute.subAttributes?.map(({ name }) => foldedPart(path, element, name)))
}

const valueKey = (path: AttributePath, element: JsonObject): string =>
  JSON.stringify(foldedPart(path, element, 'value'))

function foldedPart(path: AttributePath, element: JsonObject, name: string): unknown {
  const value = element[name]
  const exact = subAttributeNamed(path.attribute, name)?.caseExact === true
  return typeof value === 'string' && !exact ? fold(value) : (value ?? null)
}
