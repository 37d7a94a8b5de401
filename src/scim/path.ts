import { type AttributePath, nameKey, type ResourceType, subAttributeNamed } from './attribute.ts'

export type { AttributePath } from './attribute.ts'

/**
 * RFC 7644 §3.10: an attribute by the name a client gives it, whatever its case, with or without the schema's URN. The
 * URN contains dots and colons; since the whole name is looked up, it need not be split.
 */
export const parseAttributePath = (type: ResourceType, text: string): AttributePath | undefined =>
  type.paths.get(nameKey(text))

/** How an attribute is named in messages and in printed filters: with its URN only where that is needed. */
export function printAttributePath({ schema, isExtension, attribute, subAttribute }: AttributePath): string {
  const name = subAttribute ? `${attribute.name}.${subAttribute.name}` : attribute.name
  return isExtension ? `${schema}:${name}` : name
}

/** A sub-attribute of the attribute that `parent` names, by a client's name for it. */
export const subPath = (type: ResourceType, parent: AttributePath, name: string): AttributePath | undefined =>
  parseAttributePath(type, `${parent.schema}:${parent.attribute.name}.${name}`)

/** The `value` of a complex attribute, which is what a comparison with the attribute itself means (RFC 7643 §2.4). */
export function valuePathOf(path: AttributePath): AttributePath | undefined {
  const value = path.subAttribute ? undefined : subAttributeNamed(path.attribute, 'value')
  return value && { ...path, subAttribute: value }
}
