import {
  type AttributePath,
  isObject,
  isReference,
  type JsonObject,
  nameKey,
  type ResourceType,
  type Schema,
} from './attribute.ts'
import { isUnassigned } from './entra.ts'
import { invalidValue } from './error.ts'
import { parseAttributePath, printAttributePath, subPath } from './path.ts'

/** That an attribute is to have a value, which is still as the client sent it. */
export interface Assignment {
  readonly path: AttributePath
  readonly sent: unknown
}

/**
 * What an object says about a resource, attribute by attribute. Names may be dotted or carry the schema's URN, and a URN
 * may hold an object of its own; names that no schema declares are left out.
 */
export const assignments = (type: ResourceType, object: JsonObject): Assignment[] =>
  Object.entries(object).flatMap(([name, sent]) => {
    const schema = type.schemas.get(nameKey(name))
    if (schema) return schemaAssignments(type, schema, sent)
    const path = parseAttributePath(type, name)
    return path ? assignmentsTo(type, path, sent) : []
  })

/** The same for the attributes of one schema; none of them is assigned when the whole is not. */
export function schemaAssignments(type: ResourceType, schema: Schema, sent: unknown): Assignment[] {
  const object = isUnassigned(sent) ? allUnassigned(schema) : sent
  if (!isObject(object)) throw invalidValue(`${schema.id} must be an object`)
  return Object.entries(object).flatMap(([name, each]) => {
    const path = parseAttributePath(type, `${schema.id}:${name}`)
    return path ? assignmentsTo(type, path, each) : []
  })
}

const allUnassigned = (schema: Schema): JsonObject =>
  Object.fromEntries(schema.attributes.map(({ name }) => [name, null]))

/**
 * A single-valued complex attribute is taken part by part, so that parts left out stay as they are (RFC 7644 §3.5.2.3)
 * and `name` does not conflict with `name.givenName`. A reference is taken as one.
 */
export function assignmentsTo(type: ResourceType, path: AttributePath, sent: unknown): Assignment[] {
  if (!hasParts(path) || isUnassigned(sent)) return [{ path, sent }]
  if (!isObject(sent))
    throw invalidValue(`${printAttributePath(path)} must be of type complex: send an object`)
  return Object.entries(sent).flatMap(([name, each]) => {
    const part = subPath(type, path, name)
    return part ? [{ path: part, sent: each }] : []
  })
}

/** A read-only attribute has none that could be assigned, whatever the client sends. */
const hasParts = ({ attribute, subAttribute }: AttributePath): boolean =>
  !subAttribute &&
  attribute.type === 'complex' &&
  !attribute.multiValued &&
  !isReference(attribute) &&
  attribute.mutability !== 'readOnly'
