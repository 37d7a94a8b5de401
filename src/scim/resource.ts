import { assignments } from './assignment.ts'
import {
  type Attribute,
  isObject,
  type JsonObject,
  nameKey,
  type Resource,
  type ResourceType,
  type Schema,
} from './attribute.ts'
import { requireComplete } from './complete.ts'
import { readNames, schemaKeys } from './envelope.ts'
import { equalValues } from './equal.ts'
import { invalidSyntax } from './error.ts'
import { comparable } from './fold.ts'
import { isMembers, readMemberValues } from './members.ts'
import { printAttributePath } from './path.ts'
import { withValue } from './place.ts'
import { isReadOnly, noteValue, readValue } from './value.ts'

/**
 * The body of a POST or PUT as a resource: known attributes only, under the schemas' spelling of names, each value of its
 * type. Read-only attributes are ignored (RFC 7644 §3.3, §3.5.1), and so is what no schema declares. A password is taken
 * and not kept: nothing here could use it. A group's members come out as `{ value }` alone.
 */
export function readResource(type: ResourceType, body: unknown): Resource {
  if (!isObject(body)) throw invalidSyntax('the body must be a JSON object')
  requireSchemas(type, body)
  const values = new Map<string, unknown>()
  let resource: Resource = {}
  for (const { path, sent } of assignments(type, body)) {
    if (isReadOnly(path) || path.attribute.returned === 'never') continue
    if (path.subAttribute && path.attribute.multiValued) continue
    const value = isMembers(path) ? memberReferences(sent) : readValue(type, path, sent)
    noteValue(values, printAttributePath(path), value, path)
    if (value !== undefined) resource = withValue(resource, path, value)
  }
  requireComplete(type, resource)
  return resource
}

function memberReferences(sent: unknown): JsonObject[] | undefined {
  const values = readMemberValues(sent)
  return values.length > 0 ? values.map((value) => ({ value })) : undefined
}

/** RFC 7643 §3: `schemas` is a non-empty array without repeats, and names the schema of the resource. */
function requireSchemas(type: ResourceType, body: unknown): void {
  const urns = schemaKeys(readNames(body, 'the body', ['schemas']).schemas)
  if (new Set(urns).size < urns.length) throw invalidSyntax('schemas names a schema twice')
  if (!urns.includes(nameKey(type.schema.id))) throw invalidSyntax(`schemas must contain '${type.schema.id}'`)
}

export interface ResourceFacts {
  readonly id: string
  readonly resource: Resource
  readonly created: string
  readonly lastModified: string
  readonly version: string
  readonly location: string
}

/** The resource as a client gets it, in the order of the schemas, with `schemas`, `id` and `meta`. */
export function renderResource(type: ResourceType, facts: ResourceFacts): JsonObject {
  const { id, resource, created, lastModified, version, location } = facts
  const extensions = type.extensions.flatMap(({ schema }): [string, JsonObject][] => {
    const values = resource[schema.id]
    const rendered = isObject(values) ? renderAttributes(schema.attributes, values) : {}
    return Object.keys(rendered).length > 0 ? [[schema.id, rendered]] : []
  })
  return {
    schemas: [type.schema.id, ...extensions.map(([urn]) => urn)],
    id,
    ...renderAttributes(type.schema.attributes, resource),
    ...Object.fromEntries(extensions),
    meta: { resourceType: type.name, created, lastModified, location, version },
  }
}

/** The attributes that are there, in the order of the table. */
function renderAttributes(attributes: readonly Attribute[], values: JsonObject): JsonObject {
  const renderOne = (attribute: Attribute, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((each) => renderOne(attribute, each))
    return isObject(value) ? renderAttributes(attribute.subAttributes ?? [], value) : value
  }
  return Object.fromEntries(
    attributes
      .filter(({ name, returned }) => values[name] !== undefined && returned !== 'never')
      .map((attribute) => [attribute.name, renderOne(attribute, values[attribute.name])]),
  )
}

/**
 * A copy in which every string that is compared without case is folded; for searching. What is not as its attribute is
 * declared, because an extension declared it otherwise when it was written, is left out.
 */
export function foldResource(type: ResourceType, resource: Resource): JsonObject {
  const extensions = type.extensions.flatMap(({ schema }) => {
    const values = resource[schema.id]
    return isObject(values) ? [[schema.id, foldAttributes(schema.attributes, values)]] : []
  })
  return { ...foldAttributes(type.schema.attributes, resource), ...Object.fromEntries(extensions) }
}

const foldAttributes = (attributes: readonly Attribute[], values: JsonObject): JsonObject =>
  Object.fromEntries(
    attributes.flatMap((attribute): [string, unknown][] => {
      const value = values[attribute.name]
      if (Array.isArray(value) !== attribute.multiValued) return []
      const folded = Array.isArray(value)
        ? value.flatMap((each) => foldValue(attribute, each) ?? [])
        : foldValue(attribute, value)
      return folded === undefined ? [] : [[attribute.name, folded]]
    }),
  )

function foldValue(attribute: Attribute, value: unknown): unknown {
  switch (attribute.type) {
    case 'complex':
      return isObject(value) ? foldAttributes(attribute.subAttributes ?? [], value) : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'integer':
    case 'decimal':
      return typeof value === 'number' ? value : undefined
    case 'dateTime': {
      const moment = typeof value === 'string' ? comparable(attribute, value) : undefined
      return typeof moment === 'number' ? moment : undefined
    }
    default:
      return typeof value === 'string' ? comparable(attribute, value) : undefined
  }
}

/**
 * A replacement together with what an extension declared once and none declares now (SCHEMA_EXTENSIONS): it is not shown, and
 * a client that cannot know of it must not remove it.
 */
export function keepUndeclared(type: ResourceType, before: Resource, replacement: Resource): Resource {
  const undeclared = (declared: readonly string[], values: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(values).filter(([name]) => !declared.includes(name)))
  const names = (schema: Schema) => schema.attributes.map(({ name }) => name)
  const urns = type.extensions.map(({ schema }) => schema.id)
  const extensions = type.extensions.flatMap(({ schema }): [string, JsonObject][] => {
    const values = before[schema.id]
    const left = isObject(values) ? undeclared(names(schema), values) : {}
    const next = replacement[schema.id]
    return Object.keys(left).length > 0 ? [[schema.id, { ...(isObject(next) ? next : {}), ...left }]] : []
  })
  return {
    ...replacement,
    ...undeclared([...names(type.schema), ...urns], before),
    ...Object.fromEntries(extensions),
  }
}

/** Whether a change left everything as it was (RFC 7644 §3.5.2.1: then the version stays, too). */
export const equalResources = (a: Resource, b: Resource): boolean => equalValues(a, b)
