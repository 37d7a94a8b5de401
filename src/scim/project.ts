import {
  type Attribute,
  type AttributePath,
  isObject,
  isSimpleList,
  type JsonObject,
  nameKey,
  type ResourceType,
} from './attribute.ts'
import { invalidValue } from './error.ts'
import { parseAttributePath } from './path.ts'

/** Which attributes a client wants to see. Names are keys of `pathKey`, or URNs of schemas as they stand. */
export interface Projection {
  readonly kind: 'default' | 'only' | 'without'
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
  return { kind: without.length > 0 ? 'without' : 'default', names: knownNames(type, without) }
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
    if (!path) return []
    return pathKey(path.schema, path.attribute, isSimpleList(path.attribute) ? undefined : path.subAttribute)
  })
  return new Set(known)
}

const pathKey = (schema: string, attribute: Attribute, subAttribute?: Attribute): string =>
  `${schema}:${attribute.name}${subAttribute ? `.${subAttribute.name}` : ''}`

/**
 * RFC 7644 §3.4.2.5: what is always returned stays, whatever is asked, and what is returned on request comes only when
 * `attributes` names it. `schemas` goes on naming the schemas that the attributes left belong to.
 */
export function project(type: ResourceType, rendered: JsonObject, projection: Projection): JsonObject {
  if (projection.kind === 'default' && !hasMoreOnRequest(type)) return rendered
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

/** The standard schemas have nothing of the kind. */
const hasMoreOnRequest = ({ extensions }: ResourceType): boolean =>
  extensions.some(({ schema }) =>
    schema.attributes.some((attribute) => [attribute, ...(attribute.subAttributes ?? [])].some(isOnRequest)),
  )

const isOnRequest = ({ returned }: Attribute): boolean => returned === 'request'

function projectExtension(
  type: ResourceType,
  urn: string,
  values: JsonObject,
  projection: Projection,
): JsonObject | undefined {
  const left = Object.entries(values).flatMap(([name, value]): [string, unknown][] => {
    const projected = projectAttribute(parseAttributePath(type, `${urn}:${name}`), value, projection)
    return projected === undefined ? [] : [[name, projected]]
  })
  return left.length > 0 ? Object.fromEntries(left) : undefined
}

function projectAttribute(path: AttributePath | undefined, value: unknown, projection: Projection): unknown {
  if (!path) return undefined
  const { schema, attribute } = path
  const { kind, names } = projection
  const isWhole = isReturned(
    attribute,
    kind,
    isAsked(attribute, names.has(pathKey(schema, attribute)), names.has(schema)),
  )
  const parts = attribute.subAttributes ?? []
  if (parts.length === 0) return isWhole ? value : undefined
  const isPartNamed = (sub: Attribute) => names.has(pathKey(schema, attribute, sub))
  // A part that is always returned comes along with its attribute, not without it.
  if (!isWhole && !(kind === 'only' && parts.some(isPartNamed))) return undefined
  const left = parts.filter((sub) =>
    isReturned(sub, kind, isAsked(sub, isPartNamed(sub), isWhole && kind === 'only')),
  )
  return left.length === parts.length
    ? value
    : withParts(value, (name) => left.some((sub) => sub.name === name))
}

/** To name what an attribute belongs to is to ask for it, too, unless it is returned on request. */
const isAsked = ({ returned }: Attribute, isNamed: boolean, isWithin: boolean): boolean =>
  isNamed || (isWithin && returned !== 'request')

function isReturned({ returned }: Attribute, kind: Projection['kind'], isAsked: boolean): boolean {
  if (returned === 'always') return true
  return kind === 'only' ? isAsked : returned !== 'request' && !isAsked
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
