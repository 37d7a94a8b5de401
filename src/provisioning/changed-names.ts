import { isObject, type Resource, type ResourceType } from '../scim/attribute.ts'
import { equalValues } from '../scim/equal.ts'
import { parseAttributePath, printAttributePath } from '../scim/path.ts'

/** The paths of the attributes that a resource has. */
export const assignedNames = (type: ResourceType, resource: Resource): string[] =>
  changedNames(type, {}, resource)

/**
 * The paths of the attributes in which two resources differ: of an extension's under its URN, of a single-valued complex one's
 * its sub-attributes, of several values the attribute alone. Only what a table declares is named.
 */
export function changedNames(type: ResourceType, before: Resource, after: Resource): string[] {
  return changedKeys(before, after).flatMap((name) => {
    const schema = type.schemas.get(name.toLowerCase())
    if (!schema) return namesAt(type, name, before[name], after[name])
    const [was, is] = [asObject(before[name]), asObject(after[name])]
    return changedKeys(was, is).flatMap((inner) => namesAt(type, `${name}:${inner}`, was[inner], is[inner]))
  })
}

function namesAt(type: ResourceType, name: string, before: unknown, after: unknown): string[] {
  const path = parseAttributePath(type, name)
  if (!path) return []
  const isComplex = path.attribute.type === 'complex' && !path.attribute.multiValued
  if (!isComplex) return [printAttributePath(path)]
  return changedKeys(asObject(before), asObject(after)).flatMap((inner) => {
    const part = parseAttributePath(type, `${name}.${inner}`)
    return part ? [printAttributePath(part)] : []
  })
}

const changedKeys = (before: Resource, after: Resource): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => !equalValues(before[name], after[name]),
  )

const asObject = (value: unknown): Resource => (isObject(value) ? value : {})
