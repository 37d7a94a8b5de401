import { type AttributePath, nameKey, type ResourceType, type Schema } from './attribute.ts'
import { invalidPath, ScimError } from './error.ts'
import { type Filter, parseValuePath } from './filter.ts'
import { parseAttributePath } from './path.ts'

/** What an operation of a PATCH is about. */
export type PatchPath =
  /** An attribute, or a sub-attribute (of every element when the attribute has many). */
  | { readonly kind: 'attribute'; readonly path: AttributePath }
  /** The elements that a filter picks, or one sub-attribute of them when `path` names one. */
  | { readonly kind: 'elements'; readonly path: AttributePath; readonly filter: Filter }
  /** All attributes of one schema. */
  | { readonly kind: 'schema'; readonly schema: Schema }

/** RFC 7644 §3.5.2, Figure 7: `attrPath / valuePath [subAttr]`, or the URN of a schema. */
export function parsePatchPath(type: ResourceType, text: string): PatchPath {
  const name = text.trim()
  const schema = type.schemas.get(nameKey(name))
  if (schema) return { kind: 'schema', schema }
  if (name.includes('[')) return elementsPath(type, name)
  const path = parseAttributePath(type, name)
  if (!path) throw invalidPath(`path '${name}': ${type.name} has no such attribute`)
  return { kind: 'attribute', path }
}

/** A fault in the filter of a path is a fault of the path: RFC 7644 §3.12, Table 9. */
function elementsPath(type: ResourceType, text: string): PatchPath {
  try {
    return { kind: 'elements', ...parseValuePath(type, text) }
  } catch (error) {
    if (!(error instanceof ScimError)) throw error
    throw invalidPath(`path '${text}': ${error.message}`, { cause: error })
  }
}
