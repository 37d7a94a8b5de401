import { isObject, nameKey } from './attribute.ts'
import { invalidSyntax } from './error.ts'

/** The URNs of a `schemas` attribute, ready to be compared. */
export function schemaKeys(schemas: unknown): string[] {
  if (!Array.isArray(schemas) || schemas.length === 0)
    throw invalidSyntax('schemas must be a non-empty array')
  return schemas.map((urn) => {
    if (typeof urn !== 'string') throw invalidSyntax('schemas must be an array of strings')
    return nameKey(urn)
  })
}

/** RFC 7644 §8.2: a message names its own schema. */
export function requireSchema(schemas: unknown, urn: string): void {
  if (!schemaKeys(schemas).includes(nameKey(urn))) throw invalidSyntax(`schemas must contain '${urn}'`)
}

/** Those members of a message that are asked for (in lower case), its own names being compared without case. */
export function readNames<Name extends string>(
  sent: unknown,
  what: string,
  names: readonly Name[],
): { readonly [key in Name]?: unknown } {
  if (!isObject(sent)) throw invalidSyntax(`${what} must be a JSON object`)
  const found = new Map<string, unknown>()
  for (const [key, value] of Object.entries(sent)) {
    const name = names.find((each) => each === nameKey(key))
    if (name === undefined) continue
    if (found.has(name)) throw invalidSyntax(`${name} is given twice`)
    found.set(name, value)
  }
  return Object.fromEntries(found) as { readonly [key in Name]?: unknown }
}
