import { sql } from 'kysely'
import {
  type AttributePath,
  isObject,
  isSimpleList,
  type JsonObject,
  type ResourceType,
} from '../scim/attribute.ts'
import { invalidFilter } from '../scim/error.ts'
import type { Filter, FilterValue } from '../scim/filter.ts'
import { fold } from '../scim/fold.ts'
import { isMembers } from '../scim/members.ts'
import { type Condition, compareLeaf, storedForm, type TextExpression } from './leaf-sql.ts'
import { type Elements, elementsOf, leafOf, type Scope, singleValue } from './place-sql.ts'
import { isResourceId } from './stored-resource.ts'

type Comparison = Extract<Filter, { kind: 'compare' }>

/**
 * A filter as a condition on a resource's row; never null. Values are parameters, always; attributes come from the schema's
 * tables. What clients match on is written so that an index serves it.
 */
export function compileFilter(scope: Scope, filter: Filter): Condition {
  switch (filter.kind) {
    case 'and':
      return sql`(${compileFilter(scope, filter.left)} and ${compileFilter(scope, filter.right)})`
    case 'or':
      return sql`(${compileFilter(scope, filter.left)} or ${compileFilter(scope, filter.right)})`
    case 'not':
      return sql`(not ${compileFilter(scope, filter.filter)})`
    case 'compare':
      return indexedComparison(scope, filter) ?? compare(scope, filter)
    case 'present':
      return present(scope, filter.path)
    case 'constant':
      return filter.holds ? sql`true` : sql`false`
    case 'valuePath': {
      const document = elementDocument(filter.filter)
      if (document && isInDocument(filter.path)) return contains(nested(filter.path, document))
      const elements = elementsOf(scope, filter.path)
      const holds = compileElement(filter.filter, (path) => partOf(path, elements))
      const some = sql<boolean>`exists (select from ${elements.from} and ${holds})`
      const member = isMembers(filter.path) ? memberNamed(filter.filter) : undefined
      return member === undefined ? some : sql`(${hasMember(member)} and ${some})`
    }
  }
}

function compare(scope: Scope, { path, op, value }: Comparison): Condition {
  const leaf = leafOf(path)
  if (!path.attribute.multiValued) {
    return sql`coalesce(${compareLeaf(leaf, op, value, singleValue(scope, path))}, ${op === 'ne'})`
  }
  const elements = elementsOf(scope, path)
  const part = partOf(path, elements)
  const some = sql<boolean>`exists (select from ${elements.from} and ${compareLeaf(leaf, op, value, part)})`
  // `ne` holds too where there is nothing to compare.
  return op === 'ne'
    ? sql`(${some} or not exists (select from ${elements.from} and ${part} is not null))`
    : some
}

/** Empty values are never kept (RFC 7643 §2.5), so to be there is to be present. */
function present(scope: Scope, path: AttributePath): Condition {
  const { attribute, subAttribute } = path
  if (attribute.multiValued) {
    const elements = elementsOf(scope, path)
    return subAttribute
      ? sql`exists (select from ${elements.from} and ${partOf(path, elements)} is not null)`
      : sql`exists (select from ${elements.from})`
  }
  if (!isInDocument(path) && attribute.name === 'meta' && !subAttribute) return sql`true`
  return sql`(${singleValue(scope, path)} is not null)`
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
    case 'constant':
      return filter.holds ? sql`true` : sql`false`
    case 'valuePath':
      throw invalidFilter('a value path cannot stand inside another one')
  }
}

const partOf = (path: AttributePath, elements: Elements): TextExpression =>
  elements.part(path.subAttribute?.name)

/** What the server says about a resource is not in the document. */
const isInDocument = ({ isExtension, attribute }: AttributePath): boolean =>
  isExtension || !['members', 'groups', 'schemas', 'meta', 'id'].includes(attribute.name)

/** Comparisons that clients match resources by. Undefined for those that need no index. */
function indexedComparison(scope: Scope, { path, op, value }: Comparison): Condition | undefined {
  const { type, base } = scope
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
    if (attribute.name === 'id') return hasId(stored)
    if (attribute.name === 'meta' && subAttribute?.name === 'location') {
      return hasId(afterPrefix(`${base}${type.endpoint}/`, stored))
    }
    if (attribute.name === 'externalId')
      return sql`(external_id is not null and external_id = ${String(stored)})`
    if (attribute.name === nameOf(type)) return sql`(name_key = ${String(stored)})`
    if (attribute.name === 'active') return undefined
    if (attribute.name === 'members' && subAttribute?.name === 'value') return hasMember(stored)
    if (attribute.name === 'members' && subAttribute?.name === '$ref') {
      return hasMember(afterPrefix(fold(`${base}/Users/`), stored))
    }
  }
  if (!isInDocument(path) || (typeof stored === 'number' && !Number.isFinite(stored))) return undefined
  return contains(nested(path, stored))
}

const nameOf = (type: ResourceType): string => (type.name === 'User' ? 'userName' : 'displayName')

/** The id that an element must have in order to satisfy the filter, where the filter says so. */
function memberNamed(filter: Filter): FilterValue | undefined {
  if (filter.kind === 'and') return memberNamed(filter.left) ?? memberNamed(filter.right)
  const isNamed =
    filter.kind === 'compare' && filter.op === 'eq' && filter.path.subAttribute?.name === 'value'
  return isNamed ? storedForm(leafOf(filter.path), filter.value) : undefined
}

const hasId = (id: FilterValue | undefined): Condition => (isId(id) ? sql`(id = ${id}::uuid)` : sql`false`)

const hasMember = (id: FilterValue | undefined): Condition =>
  isId(id)
    ? sql`(id in (select group_id from group_member as member
        where member.tenant_id = scim_group.tenant_id and member.user_id = ${id}::uuid))`
    : sql`false`

const afterPrefix = (prefix: string, value: FilterValue): string | undefined =>
  typeof value === 'string' && value.startsWith(prefix) ? value.slice(prefix.length) : undefined

const isId = (value: FilterValue | undefined): value is string =>
  typeof value === 'string' && isResourceId(value)

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
  const element = isObject(value) ? value : subAttribute ? { [subAttribute.name]: value } : value
  const inner = isObject(element) && isSimpleList(attribute) ? element.value : element
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
