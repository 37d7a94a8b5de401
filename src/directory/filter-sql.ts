import { type RawBuilder, sql } from 'kysely'
import type { JsonObject, ResourceType } from '../scim/attribute.ts'
import { invalidFilter } from '../scim/error.ts'
import type { Filter } from '../scim/filter.ts'
import { fold } from '../scim/fold.ts'
import type { AttributePath } from '../scim/path.ts'
import { isResourceId } from './stored-resource.ts'

type Condition = RawBuilder<boolean>
type Literal = string | number | boolean | null

/** A filter as a condition on a resource's row. Values are parameters, always; attributes come from the schema's tables. */
export function compileFilter(type: ResourceType, filter: Filter): Condition {
  switch (filter.kind) {
    case 'and':
      return sql`(${compileFilter(type, filter.left)} and ${compileFilter(type, filter.right)})`
    case 'or':
      return sql`(${compileFilter(type, filter.left)} or ${compileFilter(type, filter.right)})`
    case 'not':
      return sql`(not coalesce(${compileFilter(type, filter.filter)}, false))`
    case 'compare':
      return filter.op === 'eq' ? equals(type, filter.path, filter.value) : unsupported(`'${filter.op}'`)
    case 'present':
      return present(type, filter.path)
    case 'valuePath':
      return contains(nested(filter.path, elementOf(filter.filter)))
  }
}

/** Columns are compared as columns, everything else by containment in the folded document. */
function equals(type: ResourceType, path: AttributePath, value: Literal): Condition {
  const { attribute, subAttribute } = path
  if (attribute.name === 'id') {
    return typeof value === 'string' && isResourceId(value) ? sql`id = ${value}::uuid` : sql`false`
  }
  if (attribute.name === 'externalId') return sql`coalesce(external_id = ${String(value)}, false)`
  if (attribute.name === uniqueName(type)) return sql`name_key = ${fold(String(value))}`
  if (attribute.name === 'members') return memberEquals(subAttribute?.name, value)
  if (attribute.name === 'active' && type.name === 'User') return sql`active = ${value === true}`
  refuseComputed(attribute.name)
  return contains(nested(path, folded(path, value)))
}

/** Empty values are never kept (RFC 7643 §2.5), so to be there is to be present. */
function present(type: ResourceType, path: AttributePath): Condition {
  const { schema, isExtension, attribute, subAttribute } = path
  if (attribute.name === 'id') return sql`true`
  if (attribute.name === 'active' && type.name === 'User') return sql`true`
  if (attribute.name === 'members') return sql`exists (select from group_member ${ofThisGroup})`
  refuseComputed(attribute.name)
  const steps = [
    ...(isExtension ? [JSON.stringify(schema)] : []),
    JSON.stringify(attribute.name) + (attribute.multiValued ? '[*]' : ''),
    ...(subAttribute ? [JSON.stringify(subAttribute.name)] : []),
  ]
  return sql`search @? ${`$.${steps.join('.')}`}::jsonpath`
}

const ofThisGroup = sql`
  where group_member.tenant_id = scim_group.tenant_id and group_member.group_id = scim_group.id`

/** What the server says about a resource is not in its document, and must not be taken for absent. */
function refuseComputed(name: string): void {
  if (['meta', 'schemas', 'groups'].includes(name)) unsupported(`'${name}'`)
}

const uniqueName = (type: ResourceType): string => (type.name === 'User' ? 'userName' : 'displayName')

/** Members are rows of their own. */
function memberEquals(subAttribute: string | undefined, value: Literal): Condition {
  if (subAttribute !== undefined && subAttribute !== 'value') return unsupported(`'members.${subAttribute}'`)
  if (typeof value !== 'string' || !isResourceId(value)) return sql`false`
  return sql`exists (select from group_member ${ofThisGroup} and group_member.user_id = ${value}::uuid)`
}

const contains = (document: JsonObject): Condition => sql`search @> ${JSON.stringify(document)}::jsonb`

/** The smallest document that holds a value at a path. */
function nested({ schema, isExtension, attribute, subAttribute }: AttributePath, value: unknown): JsonObject {
  const inner = subAttribute === undefined || isElement(value) ? value : { [subAttribute.name]: value }
  const document = { [attribute.name]: attribute.multiValued ? [inner] : inner }
  return isExtension ? { [schema]: document } : document
}

const isElement = (value: unknown): boolean => typeof value === 'object' && value !== null

/** All conditions of a value path hold for one element (RFC 7644 §3.4.2.2), so they make up one element. */
function elementOf(filter: Filter): JsonObject {
  if (filter.kind === 'and') return merged(elementOf(filter.left), elementOf(filter.right))
  if (filter.kind !== 'compare' || filter.op !== 'eq' || filter.path.subAttribute === undefined) {
    return unsupported('this combination in a value path')
  }
  return { [filter.path.subAttribute.name]: folded(filter.path, filter.value) }
}

function merged(left: JsonObject, right: JsonObject): JsonObject {
  const twice = Object.keys(right).find((name) => Object.hasOwn(left, name) && left[name] !== right[name])
  return twice === undefined ? { ...left, ...right } : unsupported(`two values of ${twice} in a value path`)
}

function folded({ attribute, subAttribute }: AttributePath, value: Literal): Literal {
  const leaf = subAttribute ?? attribute
  return typeof value === 'string' && !leaf.caseExact ? fold(value) : value
}

function unsupported(what: string): never {
  throw invalidFilter(`${what} is not supported in a filter`)
}
