import type { Attribute, Resource, ResourceType } from './attribute.ts'
import { invalidValue } from './error.ts'
import { fold } from './fold.ts'

/** What the directory indexes must fit into an index entry of PostgreSQL (2,704 bytes), folded and in UTF-8. */
const MAX_KEY_BYTES = 2000

/** Throws when a resource cannot be kept: a required attribute is missing or blank (RFC 7643 §2.2), or a key too long. */
export function requireComplete(type: ResourceType, resource: Resource): void {
  for (const attribute of type.schema.attributes) {
    const value = resource[attribute.name]
    if (attribute.required && (typeof value === 'string' ? value.trim() === '' : value === undefined)) {
      throw requiredMissing(attribute.name)
    }
    if (isKey(attribute) && typeof value === 'string' && byteLength(fold(value)) > MAX_KEY_BYTES) {
      throw invalidValue(`${attribute.name} is longer than ${MAX_KEY_BYTES} bytes`)
    }
  }
}

export const requiredMissing = (name: string) => invalidValue(`${name} is required`)

const isKey = ({ name, type, required }: Attribute): boolean =>
  type === 'string' && (required || name === 'externalId')

const byteLength = (text: string): number => new TextEncoder().encode(text).length
