import type { Attribute, AttributePath, JsonObject } from './attribute.ts'
import { isObject, isSimpleList } from './attribute.ts'
import type { CompareOperator, Filter, FilterValue } from './filter.ts'
import { comparable } from './fold.ts'

/** Whether a resource, as a client gets it (with `id` and `meta`), satisfies a filter (RFC 7644 §3.4.2.2). */
export const matchesFilter = (filter: Filter, resource: JsonObject): boolean =>
  evaluate(filter, (path) => valuesAt(resource, path))

/** Whether one element of a multi-valued attribute satisfies the filter of a value path. */
export const elementMatches = (filter: Filter, element: JsonObject): boolean =>
  evaluate(filter, ({ subAttribute, attribute }) => present([element[(subAttribute ?? attribute).name]]))

type Read = (path: AttributePath) => readonly unknown[]

function evaluate(filter: Filter, read: Read): boolean {
  switch (filter.kind) {
    case 'and':
      return evaluate(filter.left, read) && evaluate(filter.right, read)
    case 'or':
      return evaluate(filter.left, read) || evaluate(filter.right, read)
    case 'not':
      return !evaluate(filter.filter, read)
    case 'constant':
      return filter.holds
    case 'present':
      return read(filter.path).length > 0
    case 'valuePath':
      return read(filter.path).some((each) =>
        elementMatches(filter.filter, isObject(each) ? each : { value: each }),
      )
    case 'compare': {
      const values = read(filter.path)
      if (filter.op === 'ne' && values.length === 0) return true
      const attribute = filter.path.subAttribute ?? filter.path.attribute
      return values.some((value) =>
        holds(filter.op, comparableValue(attribute, value), comparableValue(attribute, filter.value)),
      )
    }
  }
}

/** All values that a path leads to: of every element, when the attribute has many. */
function valuesAt(
  resource: JsonObject,
  { schema, isExtension, attribute, subAttribute }: AttributePath,
): unknown[] {
  const container = isExtension ? resource[schema] : resource
  const value = isObject(container) ? container[attribute.name] : undefined
  const values = Array.isArray(value) ? value : [value]
  return present(
    subAttribute && !isSimpleList(attribute)
      ? values.map((each) => (isObject(each) ? each[subAttribute.name] : undefined))
      : values,
  )
}

/** Empty is absent: RFC 7643 §2.5. A complex value is there when a part of it is. */
const present = (values: readonly unknown[]): unknown[] => values.filter(isPresent)

function isPresent(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isPresent)
  if (isObject(value)) return Object.values(value).some(isPresent)
  return value !== undefined && value !== null && value !== ''
}

const comparableValue = (attribute: Attribute, value: unknown): FilterValue | undefined => {
  if (typeof value === 'string') return comparable(attribute, value)
  return typeof value === 'number' || typeof value === 'boolean' ? value : undefined
}

function holds(
  operator: CompareOperator,
  value: FilterValue | undefined,
  wanted: FilterValue | undefined,
): boolean {
  if (value === undefined || wanted === undefined) return false
  switch (operator) {
    case 'eq':
      return value === wanted
    case 'ne':
      return value !== wanted
    case 'co':
      return String(value).includes(String(wanted))
    case 'sw':
      return String(value).startsWith(String(wanted))
    case 'ew':
      return String(value).endsWith(String(wanted))
    case 'gt':
      return order(value, wanted) > 0
    case 'ge':
      return order(value, wanted) >= 0
    case 'lt':
      return order(value, wanted) < 0
    case 'le':
      return order(value, wanted) <= 0
  }
}

/** Texts in the order of their code points, which is that of a database in C collation too. */
function order(a: FilterValue, b: FilterValue): number {
  if (typeof a !== 'string' || typeof b !== 'string') return Number(a) - Number(b)
  const left = [...a]
  const right = [...b]
  const differs = left.findIndex((character, index) => character !== right[index])
  if (differs === -1) return left.length - right.length
  return (left[differs]?.codePointAt(0) ?? 0) - (right[differs]?.codePointAt(0) ?? -1)
}
