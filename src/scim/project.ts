import {
  type Attribute,
  type AttributePath,
  isObject,
  type JsonObject,
  nameKey,
  type ResourceType,
} from './attribute.ts'
import { invalidValue } from './error.ts'
import { parseAttributePath } from './path.ts'

/** Which attributes a client wants to see. Names are keys of `pathKey`, or URNs of schemas as they stand. */
export type Projection = { readonly kind: 'default' } | Selection

interface Selection {
  readonly kind: 'only' | 'without'
  readonly names: ReadonlySet<string>
}

/**
 * RFC 7644 §3.9: `attributes` and `excludedAttributes`, comma-separated in a query, a list in a search request. Unknown
 * names are ignored.
 */
export function parseProjection(
  type: ResourceType,
  query: {
    readonly attributes?: string | readonly string[] | undefined
    readonly excludedAttributes?: string | readonly string[] | undefined
  },
): Projection {
  const only = listed(query.attributes)
  const without = listed(query.excludedAttributes)
  if (only.length > 0 && without.length > 0) {
    throw invalidValue('attributes and excludedAttributes cannot be given together')
  }
  if (only.length > 0) return { kind: 'only', names: knownNames(type, only) }
  return without.length > 0 ? { kind: 'without', names: knownNames(type, without) } : { kind: 'default' }
}

const listed = (names: string | readonly string[] | undefined): string[] =>
  [names ?? []]
    .flat()
    .flatMap((each) => each.split(','))
    .map((each) => each.trim())
    .filter((each) => each !== '')

function knownNames(type: ResourceType, names: readonly string[]): Set<string> {
  const known = names.flatMap((name) => {
    const schema = type.schemas.get(nameKey(name))
    if (schema) return schema.id
    const path = parseAttributePath(type, name)
    return path ? pathKey(path.schema, path.attribute, path.subAttribute) : []
  })
  return new Set(known)
}

const pathKey = (schema: string, attribute: Attribute, subAttribute?: Attribute): string =>
  `${schema}:${attribute.name}${subAttribute ? `.${subAttribute.name}` : ''}`

/**
 * RFC 7644 §3.4.2.5: what is always returned stays, whatever is asked. `schemas` goes on naming the schemas that the
 * attributes left belong to.
 */
export function project(type: ResourceType, rendered: JsonObject, projection: Projection): JsonObject {
  if (projection.kind === 'default') return rendered
  const extensionUrns = type.extensions.map(({ schema }) => schema.id)
  const left = Object.entries(rendered).flatMap(([name, value]): [string, unknown][] => {
    const projected =
      extensionUrns.includes(name) && isObject(value)
        ? projectExtension(type, name, value, projection)
        : projectAttribute(parseAttributePath(type, name), value, projection)
    return projected === undefined ? [] : [[name, projected]]
  })
  const result = Object.fromEntries(left)
  const isPresent = (urn: unknown) =>
    !extensionUrns.some((each) => each === urn && result[each] === undefined)
  return Array.isArray(result.schemas) ? { ...result, schemas: result.schemas.filter(isPresent) } : result
}

function projectExtension(
  type: ResourceType,
  urn: string,
  values: JsonObject,
  projection: Selection,
): JsonObject | undefined {
  const left = Object.entries(values).flatMap(([name, value]): [string, unknown][] => {
    const projected = projectAttribute(parseAttributePath(type, `${urn}:${name}`), value, projection)
    return projected === undefined ? [] : [[name, projected]]
  })
  return left.length > 0 ? Object.fromEntries(left) : undefined
}

function projectAttribute(
  path: AttributePath | undefined,
  value: unknown,
  { kind, names }: Selection,
): unknown {
  if (!path) return undefined
  const { schema, attribute } = path
  if (attribute.returned === 'always') return value
  const isNamed = names.has(schema) || names.has(pathKey(schema, attribute))
  if (isNamed) return kind === 'only' ? value : undefined
  const parts = attribute.subAttributes?.filter((sub) => names.has(pathKey(schema, attribute, sub))) ?? []
  const isPartNamed = (name: string) => parts.some((part) => part.name === name)
  if (kind === 'only') return parts.length > 0 ? withParts(value, isPartNamed) : undefined
  return parts.length > 0 ? withParts(value, (name) => !isPartNamed(name)) : value
}

/** A complex value, or each of several, with only some of its parts; undefined when none is left. */
function withParts(value: unknown, isWanted: (name: string) => boolean): unknown {
  if (Array.isArray(value)) {
    const elements = value.flatMap((each) => withParts(each, isWanted) ?? [])
    return elements.length > 0 ? elements : undefined
  }
  if (!isObject(value)) return undefined
  const parts = Object.entries(value).filter(([name]) => isWanted(name))
  return parts.length > 0 ? Object.fromEntries(parts) : undefined
}

/** Whether the attribute, or a part of it, will be in the answer; if not, it need not be fetched. */
export function wantsAttribute(type: ResourceType, projection: Projection, name: string): boolean {
  const path = parseAttributePath(type, name)
  if (!path || projection.kind === 'default') return path !== undefined
  const { schema, attribute } = path
  const { kind, names } = projection
  if (names.has(schema) || names.has(pathKey(schema, attribute))) return kind === 'only'
  return (
    kind === 'without' ||
    (attribute.subAttributes ?? []).some((sub) => names.has(pathKey(schema, attribute, sub)))
  )
}
