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

const renderAttributes = (attributes: readonly Attribute[], values: JsonObject): JsonObject =>
  mapAttributes(
    attributes.filter(({ returned }) => returned !== 'never'),
    values,
    (_attribute, value) => value,
  )

/** A copy in which every string that is compared without case is folded; for searching by equality. */
export function foldResource(type: ResourceType, resource: Resource): JsonObject {
  const foldText = (attribute: Attribute, value: unknown) =>
    typeof value === 'string' ? comparable(attribute, value) : value
  const ofSchema = (schema: Schema, values: unknown) =>
    isObject(values) ? mapAttributes(schema.attributes, values, foldText) : {}
  const extensions = type.extensions.flatMap(({ schema }) =>
    schema.id in resource ? [[schema.id, ofSchema(schema, resource[schema.id])]] : [],
  )
  return { ...ofSchema(type.schema, resource), ...Object.fromEntries(extensions) }
}

/** The attributes that are there, in the order of the table, each simple value passed through `change`. */
function mapAttributes(
  attributes: readonly Attribute[],
  values: JsonObject,
  change: (attribute: Attribute, value: unknown) => unknown,
): JsonObject {
  const mapOne = (attribute: Attribute, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((each) => mapOne(attribute, each))
    if (isObject(value)) return mapAttributes(attribute.subAttributes ?? [], value, change)
    return change(attribute, value)
  }
  return Object.fromEntries(
    attributes
      .filter(({ name }) => values[name] !== undefined)
      .map((attribute) => [attribute.name, mapOne(attribute, values[attribute.name])]),
  )
}

/** Whether a change left everything as it was (RFC 7644 §3.5.2.1: then the version stays, too). */
export const equalResources = (a: Resource, b: Resource): boolean => equalValues(a, b)
