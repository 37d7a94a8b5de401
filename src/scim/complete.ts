import { type Attribute, isObject, type Resource, type ResourceType, type Schema } from './attribute.ts'
import { invalidValue } from './error.ts'
import { fold } from './fold.ts'

/** What the directory indexes must fit into an index entry of PostgreSQL (2,704 bytes), folded and in UTF-8. */
const MAX_KEY_BYTES = 2000

/**
 * What nobody sees, so that two names that look the same are the same: RFC 8265 §3.3 lets no control character into a user
 * name, and RFC 8264 §9.13 none that is ignorable. The joiners are parts of words in some scripts.
 */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200C\u200D])\p{Default_Ignorable_Code_Point}/u

/** Throws when a resource cannot be kept: a required attribute is missing or blank (RFC 7643 §2.2), or a key too long. */
export function requireComplete(type: ResourceType, resource: Resource): void {
  requireStillComplete(type, undefined, resource)
}

/**
 * The same for what a change made of a resource. What was missing before it may go on missing: an extension that the
 * operator adds to older users must not be in the way of, say, deactivating them.
 */
export function requireStillComplete(
  type: ResourceType,
  before: Resource | undefined,
  resource: Resource,
): void {
  const tolerated = before ? missing(type, before) : []
  const name = missing(type, resource).find((each) => !tolerated.includes(each))
  if (name !== undefined) throw requiredMissing(name)
  for (const attribute of type.schema.attributes) {
    const value = resource[attribute.name]
    if (isKey(attribute) && typeof value === 'string' && keyLength(value) > MAX_KEY_BYTES) {
      throw invalidValue(`${attribute.name} is longer than ${MAX_KEY_BYTES} bytes`)
    }
    const isNew = value !== before?.[attribute.name]
    if (attribute.uniqueness === 'server' && isNew && typeof value === 'string' && UNSEEN.test(value)) {
      throw invalidValue(`${attribute.name} has a control character or another one that cannot be seen`)
    }
  }
}

export const requiredMissing = (name: string) => invalidValue(`${name} is required`)

/** RFC 7643 §6: an extension that is not required asks for its required attributes only where it is used. */
function missing(type: ResourceType, resource: Resource): string[] {
  const inExtensions = type.extensions.flatMap(({ schema, required }) => {
    const values = resource[schema.id]
    if (!isObject(values)) return required ? [schema.id] : []
    return missingIn(schema, values).map((name) => `${schema.id}:${name}`)
  })
  return [...missingIn(type.schema, resource), ...inExtensions]
}

const missingIn = (schema: Schema, values: Resource): string[] =>
  schema.attributes.flatMap((attribute) => {
    const value = values[attribute.name]
    if (isBlank(value)) return attribute.required ? [attribute.name] : []
    return (attribute.subAttributes ?? [])
      .filter(({ name, required }) => required && [value].flat().some((each) => isBlank(partOf(each, name))))
      .map(({ name }) => `${attribute.name}.${name}`)
  })

const partOf = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined)

const isBlank = (value: unknown): boolean =>
  typeof value === 'string' ? value.trim() === '' : value === undefined

const isKey = ({ name, type, required }: Attribute): boolean =>
  type === 'string' && (required || name === 'externalId')

/** Of the longer one of the text and its folded form: either may be what is indexed. */
const keyLength = (text: string): number => Math.max(byteLength(text), byteLength(fold(text)))

const byteLength = (text: string): number => new TextEncoder().encode(text).length
