import {
  type Attribute,
  type AttributePath,
  isObject,
  type Resource,
  type ResourceType,
} from './attribute.ts'
import { requireStillComplete } from './complete.ts'
import { equalValues } from './equal.ts'
import { mutability } from './error.ts'
import { comparable } from './fold.ts'
import { printAttributePath } from './path.ts'
import { valueAt, withValue } from './place.ts'

/**
 * RFC 7643 §7: an immutable attribute may be set where it has no value, and then keeps that one. Returns the resource to
 * keep after a PATCH, or throws; the same value in another case or order is no change.
 */
export const requireImmutable = (type: ResourceType, before: Resource, after: Resource): Resource =>
  immutablePaths(type).reduce((kept, path) => {
    const value = valueAt(before, path)
    return value === undefined ? kept : withKept(kept, path, value)
  }, after)

/** The same for a PUT (RFC 7644 §3.5.1), where leaving out an attribute that is immutable, even in part, is not to remove it. */
export function keepImmutable(type: ResourceType, before: Resource, replacement: Resource): Resource {
  const result = immutablePaths(type).reduce((kept, path) => {
    const value = valueAt(before, path)
    if (value === undefined) return kept
    if (valueAt(kept, path) !== undefined) return withKept(kept, path, value)
    // Without its other parts a complex attribute that was left out could lack one that is required.
    const { subAttribute: _part, ...whole } = path
    return valueAt(kept, whole) === undefined
      ? withValue(kept, whole, valueAt(before, whole))
      : withValue(kept, path, value)
  }, replacement)
  if (result !== replacement) requireStillComplete(type, before, result)
  return result
}

function withKept(resource: Resource, path: AttributePath, value: unknown): Resource {
  const next = valueAt(resource, path)
  if (equalValues(next, value)) return resource
  if (isSame(path.subAttribute ?? path.attribute, next, value)) return withValue(resource, path, value)
  throw mutability(`${printAttributePath(path)} is immutable and has a value already`)
}

/** Parts of one of several values are not looked at: there they go with the value, as those of a group's members do. */
function immutablePaths(type: ResourceType): AttributePath[] {
  const schemas = [type.schema, ...type.extensions.map(({ schema }) => schema)]
  return schemas.flatMap((schema) =>
    schema.attributes.flatMap((attribute): AttributePath[] => {
      const path = { schema: schema.id, isExtension: schema !== type.schema, attribute }
      if (isImmutable(attribute)) return [path]
      const parts = attribute.multiValued ? [] : (attribute.subAttributes ?? [])
      return parts.filter(isImmutable).map((subAttribute) => ({ ...path, subAttribute }))
    }),
  )
}

const isImmutable = ({ mutability }: Attribute): boolean => mutability === 'immutable'

function isSame(attribute: Attribute, a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((each) => b.some((other) => isSame(attribute, each, other)))
  }
  if (isObject(a) && isObject(b)) {
    return (attribute.subAttributes ?? []).every((sub) => isSame(sub, a[sub.name], b[sub.name]))
  }
  if (typeof a === 'string' && typeof b === 'string')
    return comparable(attribute, a) === comparable(attribute, b)
  return a === b
}
