import {
  type Attribute,
  type AttributePath,
  isSimpleList,
  type JsonObject,
  subAttributeNamed,
} from './attribute.ts'
import { invalidValue } from './error.ts'
import { comparable } from './fold.ts'
import { printAttributePath } from './path.ts'

/** Sub-attributes that say something about a value and are nothing without one (RFC 7643 §2.4). */
const descriptive: ReadonlySet<string> = new Set(['type', 'primary', 'display'])

/** Those that RFC 7643 §2.4 knows: beside its type, they do not tell one value from another. */
const standard: ReadonlySet<string> = new Set(['value', '$ref', ...descriptive])

/** Every operation of a PATCH goes through all values of an attribute, and a person has a handful. */
const MAX_ELEMENTS = 200

/** Whether nothing is left of an element but what describes it; an attribute may also have nothing else to say. */
export const describesOnly = ({ subAttributes = [] }: Attribute, element: JsonObject): boolean =>
  Object.keys(element).every((name) => descriptive.has(name)) &&
  (Object.keys(element).length === 0 || subAttributes.some(({ name }) => !descriptive.has(name)))

/**
 * RFC 7643 §2.4: no (type, value) twice, and at most one primary. Of two such elements the later one's parts hold; of
 * two simple values the first one stays as it is written.
 */
export function collapse(path: AttributePath, elements: readonly JsonObject[]): JsonObject[] {
  const isSimple = isSimpleList(path.attribute)
  const keyNames = keyNamesOf(path.attribute)
  const byKey = new Map<string, JsonObject>()
  for (const element of elements) {
    const key = elementKey(path.attribute, keyNames, element)
    const known = byKey.get(key)
    if (!known || !isSimple) byKey.set(key, { ...known, ...element })
  }
  const collapsed = [...byKey.values()]
  const { subAttribute: _part, ...whole } = path
  if (collapsed.length > MAX_ELEMENTS)
    throw invalidValue(`${printAttributePath(whole)} has more than ${MAX_ELEMENTS} values`)
  if (collapsed.filter(isPrimary).length > 1) {
    throw invalidValue(`${printAttributePath(whole)}: more than one value is primary`)
  }
  return collapsed
}

/** RFC 7644 §3.5.2: a value that becomes primary takes that from the one that was. */
export const demote = (elements: readonly JsonObject[]): JsonObject[] =>
  elements.map((element) => (isPrimary(element) ? { ...element, primary: false } : element))

export const isPrimary = (element: JsonObject): boolean => element.primary === true

/** Takes out the elements that equal one of `unwanted`; where that one says no more than its value, in value alone. */
export function withoutElements(
  { attribute }: AttributePath,
  elements: readonly JsonObject[],
  unwanted: readonly JsonObject[],
): JsonObject[] {
  const keyNames = keyNamesOf(attribute)
  const keyOf = (element: JsonObject) => elementKey(attribute, keyNames, element)
  const valueKeyOf = (element: JsonObject) => partsKey(attribute, ['value'], element)
  const saysNoMore = (element: JsonObject) =>
    element.value !== undefined && keyNames.every((name) => name === 'value' || element[name] === undefined)
  const keys = new Set(unwanted.filter((each) => !saysNoMore(each)).map(keyOf))
  const values = new Set(unwanted.filter(saysNoMore).map(valueKeyOf))
  return elements.filter((each) => !keys.has(keyOf(each)) && !values.has(valueKeyOf(each)))
}

/**
 * The parts by which elements with a value are the same: value and type. Where a schema has no type, its own parts tell
 * values apart, such as the currency of an amount.
 */
function keyNamesOf(attribute: Attribute): readonly string[] {
  if (isSimpleList(attribute)) return ['value']
  if (subAttributeNamed(attribute, 'type')) return ['value', 'type']
  const own = (attribute.subAttributes ?? []).map(({ name }) => name).filter((name) => !standard.has(name))
  return ['value', ...own]
}

/** Elements without a `value`, such as addresses, are the same only as a whole. */
function elementKey(attribute: Attribute, keyNames: readonly string[], element: JsonObject): string {
  if (element.value !== undefined) return partsKey(attribute, keyNames, element)
  return partsKey(attribute, attribute.subAttributes?.map(({ name }) => name) ?? [], element)
}

const partsKey = (attribute: Attribute, names: readonly string[], element: JsonObject): string =>
  JSON.stringify(names.map((name) => comparablePart(attribute, name, element[name])))

function comparablePart(attribute: Attribute, name: string, value: unknown): unknown {
  const part = isSimpleList(attribute) ? attribute : subAttributeNamed(attribute, name)
  return part && typeof value === 'string' ? comparable(part, value) : (value ?? null)
}
