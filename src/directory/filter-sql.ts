import { sql } from 'kysely'
import type { AttributePath, JsonObject, ResourceType } from '../scim/attribute.ts'
import { invalidFilter } from '../scim/error.ts'
import type { Filter, FilterValue } from '../scim/filter.ts'
import { printAttributePath } from '../scim/path.ts'
import { type Condition, compareLeaf, storedForm, type TextExpression } from './leaf-sql.ts'
import { elementsOf, leafOf, singleValue } from './place-sql.ts'
import { isResourceId } from './stored-resource.ts'

type Comparison = Extract<Filter, { kind: 'compare' }>

/**
 * A filter as a condition on a resource's row; never null. Values are parameters, always; attributes come from the schema's
 * tables. What clients match on is written so that an index serves it.
 */
export function compileFilter(type: ResourceType, filter: Filter): Condition {
  switch (filter.kind) {
    case 'and':
      return sql`(${compileFilter(type, filter.left)} and ${compileFilter(type, filter.right)})`
    case 'or':
      return sql`(${compileFilter(type, filter.left)} or ${compileFilter(type, filter.right)})`
    case 'not':
      return sql`(not ${compileFilter(type, filter.filter)})`
    case 'compare':
      return indexedComparison(type, filter) ?? compare(type, filter)
    case 'present':
      return present(type, filter.path)
    case 'valuePath': {
      const document = elementDocument(filter.filter)
      if (document && isInDocument(filter.path)) return contains(nested(filter.path, document))
      const elements = elementsOf(type, filter.path)
      const holds = compileElement(filter.filter, (path) => partOf(path, elements))
      return sql`exists (select from ${elements.from} and ${holds})`
    }
  }
}

function compare(type: ResourceType, { path, op, value }: Comparison): Condition {
  const leaf = leafOf(path)
  if (!path.attribute.multiValued) {
    return sql`coalesce(${compareLeaf(leaf, op, value, singleValue(type, path))}, ${op === 'ne'})`
  }
  const elements = elementsOf(type, path)
  const part = partOf(path, elements)
  const some = sql<boolean>`exists (select from ${elements.from} and ${compareLeaf(leaf, op, value, part)})`
  // `ne` holds too where there is nothing to compare.
  return op === 'ne'
    ? sql`(${some} or not exists (select from ${elements.from} and ${part} is not null))`
    : some
}

/** Empty values are never kept (RFC 7643 §2.5), so to be there is to be present. */
function present(type: ResourceType, path: AttributePath): Condition {
  const { attribute, subAttribute } = path
  if (attribute.multiValued) {
    const elements = elementsOf(type, path)
    return subAttribute
      ? sql`exists (select from ${elements.from} and ${partOf(path, elements)} is not null)`
      : sql`exists (select from ${elements.from})`
  }
  if (attribute.name === 'meta' && !subAttribute) return sql`true`
  return sql`(${singleValue(type, path)} is not null)`
}

/** The conditions of a value path hold for one and the same element (RFC 7644 §3.4.2.2). */
function compileElement(filter: Filter, part: (path: AttributePath) => TextExpression): Condition {
  switch (filter.kind) {
    case 'and':
      return sql`(${compileElement(filter.left, part)} and ${compileElement(filter.right, part)})`
    case 'or':
      return sql`(${compileElement(filter.left, part)} or ${compileElement(filter.right, part)})`
    case 'not':
      return sql`(not ${compileElement(filter.filter, part)})`
    case 'present':
      return sql`(${part(filter.path)} is not null)`
    case 'compare': {
      const holds = compareLeaf(leafOf(filter.path), filter.op, filter.value, part(filter.path))
      return sql`coalesce(${holds}, ${filter.op === 'ne'})`
    }
    case 'valuePath':
      throw invalidFilter('a value path cannot stand inside another one')
  }
}

const partOf = (path: AttributePath, elements: ReturnType<typeof elementsOf>): TextExpression => {
  const part = elements.part(path.subAttribute?.name)
  if (path.subAttribute?.name === '$ref' && !isInDocument(path)) {
    throw invalidFilter(`'${printAttributePath(path)}' is not supported in a filter; use its value`)
  }
  return part ?? sql`null::text`
}

/** What the server says about a resource is not in the document. */
const isInDocument = ({ isExtension, attribute }: AttributePath): boolean =>
  isExtension || !['members', 'groups', 'schemas', 'meta', 'id'].includes(attribute.name)

/** Comparisons that clients match resources by. Undefined for those that need no index. */
function indexedComparison(type: ResourceType, { path, op, value }: Comparison): Condition | undefined {
  const { isExtension, attribute, subAttribute } = path
  if (!isExtension && attribute.name === 'meta' && subAttribute?.type === 'dateTime') {
    return compareMoment(
      subAttribute.name === 'created' ? sql`created_at` : sql`last_modified`,
      path,
      op,
      value,
    )
  }
  if (op !== 'eq') return undefined
  const stored = storedForm(leafOf(path), value)
  if (!isExtension) {
    if (attribute.name === 'id') return isId(stored) ? sql`(id = ${stored}::uuid)` : sql`false`
    if (attribute.name === 'externalId') return sql`coalesce(external_id = ${String(stored)}, false)`
    if (attribute.name === nameOf(type)) return sql`(name_key = ${String(stored)})`
    if (attribute.name === 'active') return undefined
    if (attribute.name === 'members' && subAttribute?.name === 'value') {
      return isId(stored)
        ? sql`(id in (select group_id from group_member as member
            where member.tenant_id = scim_group.tenant_id and member.user_id = ${stored}::uuid))`
        : sql`false`
    }
  }
  if (!isInDocument(path) || (typeof stored === 'number' && !Number.isFinite(stored))) return undefined
  return contains(nested(path, stored))
}

const nameOf = (type: ResourceType): string => (type.name === 'User' ? 'userName' : 'displayName')

const isId = (value: FilterValue): value is string => typeof value === 'string' && isResourceId(value)

const momentOperators = { eq: '=', ne: '<>', gt: '>', ge: '>=', lt: '<', le: '<=' } as const

function compareMoment(
  column: TextExpression,
  path: AttributePath,
  op: Comparison['op'],
  value: FilterValue,
): Condition | undefined {
  if (!Object.hasOwn(momentOperators, op)) return undefined
  const operator = sql.raw(momentOperators[op as keyof typeof momentOperators])
  const ms = storedForm(leafOf(path), value)
  // Multiplied, not parsed: a text would have to be of a form and a range that Postgres reads.
  return sql`(${column} ${operator} timestamptz 'epoch' + ${ms}::float8 * interval '1 millisecond')`
}

const contains = (document: JsonObject): Condition => sql`(search @> ${JSON.stringify(document)}::jsonb)`

/** The smallest document that holds a value at a path. */
function nested(path: AttributePath, value: unknown): JsonObject {
  const { schema, isExtension, attribute, subAttribute } = path
  const isElement = typeof value === 'object' && value !== null
  const inner = subAttribute === undefined || isElement ? value : { [subAttribute.name]: value }
  const document = { [attribute.name]: attribute.multiValued ? [inner] : inner }
  return isExtension ? { [schema]: document } : document
}

/** The element that a filter of `eq` and `and` alone describes; undefined for any other. */
function elementDocument(filter: Filter): JsonObject | undefined {
  if (filter.kind === 'compare' && filter.op === 'eq') {
    const leaf = leafOf(filter.path)
    const stored = storedForm(leaf, filter.value)
    return typeof stored === 'number' && !Number.isFinite(stored) ? undefined : { [leaf.name]: stored }
  }
  if (filter.kind !== 'and') return undefined
  const left = elementDocument(filter.left)
  const right = elementDocument(filter.right)
  if (!left || !right || Object.keys(right).some((name) => Object.hasOwn(left, name))) return undefined
  return { ...left, ...right }
}
