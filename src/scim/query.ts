import { type AttributePath, nameKey, type ResourceType } from './attribute.ts'
import { readNames, requireSchema } from './envelope.ts'
import { invalidFilter, invalidPath, invalidValue } from './error.ts'
import { type Filter, parseFilter } from './filter.ts'
import { type Page, parsePage } from './page.ts'
import { parseAttributePath, valuePathOf } from './path.ts'
import { type Projection, parseProjection } from './project.ts'

const SEARCH_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'

/** RFC 7644 §3.4.2, Table 2, and the cursor of RFC 9865. */
const PARAMETERS = [
  'attributes',
  'excludedAttributes',
  'filter',
  'sortBy',
  'sortOrder',
  'startIndex',
  'count',
  'cursor',
] as const

/** As they come in a URL or in a search request. */
export type QueryParameters = { readonly [Name in (typeof PARAMETERS)[number]]?: unknown }

interface ResourceQuery {
  readonly targets: readonly QueryTarget[]
  readonly sort: { readonly descending: boolean } | undefined
  readonly page: Page
  /** The same for all requests that ask for parts of one list. */
  readonly listKey: string
}

/** What a query means for one type of resource. */
export interface QueryTarget {
  readonly type: ResourceType
  readonly filter: Filter | undefined
  /** Undefined where the list is not sorted, or where only another type has the attribute. */
  readonly sortBy: AttributePath | undefined
  readonly projection: Projection
}

/** @param types one type, or all of them for a query of the root (RFC 7644 §3.4.2.1) */
export function parseQuery(types: readonly ResourceType[], parameters: QueryParameters): ResourceQuery {
  const attributes = nameList('attributes', parameters.attributes)
  const excludedAttributes = nameList('excludedAttributes', parameters.excludedAttributes)
  const filter = filterText(parameters.filter)
  const sortBy = oneText('sortBy', parameters.sortBy)
  const sortPaths = types.map((type) => (sortBy === undefined ? undefined : sortPath(type, sortBy)))
  if (sortBy !== undefined && sortPaths.every((path) => path === undefined)) {
    throw invalidPath(`sortBy: there is no attribute '${sortBy}'`)
  }
  const descending = isDescending(oneText('sortOrder', parameters.sortOrder))
  return {
    targets: types.map((type, index) => ({
      type,
      filter: filter === undefined ? undefined : parseFilter(type, filter, othersThan(type, types)),
      sortBy: sortPaths[index],
      projection: parseProjection(type, { attributes, excludedAttributes }),
    })),
    sort: sortBy === undefined ? undefined : { descending },
    page: parsePage(parameters),
    listKey: JSON.stringify([
      types.map(({ name }) => name),
      attributes ?? null,
      excludedAttributes ?? null,
      filter ?? null,
      sortBy ?? null,
      descending,
    ]),
  }
}

const othersThan = (type: ResourceType, types: readonly ResourceType[]) =>
  types.filter((each) => each !== type)

/** The body of a POST to /.search (RFC 7644 §3.4.3). */
export function readSearchRequest(body: unknown): QueryParameters {
  const request = readNames(body, 'the body', ['schemas', ...PARAMETERS.map(nameKey)])
  requireSchema(request.schemas, SEARCH_REQUEST)
  return Object.fromEntries(PARAMETERS.map((name) => [name, request[nameKey(name)] ?? undefined]))
}

function filterText(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  throw invalidFilter(Array.isArray(value) ? 'filter is given more than once' : 'filter must be a text')
}

function oneText(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value === '' ? undefined : value
  throw invalidValue(`${name} must be one text`)
}

/** Names in a list, separated by commas, or both. */
function nameList(parameter: string, value: unknown): string[] | undefined {
  if (value === undefined) return undefined
  return [value].flat().map((each) => {
    if (typeof each !== 'string') throw invalidValue(`${parameter} must be a list of names`)
    return each
  })
}

function isDescending(order: string | undefined): boolean {
  switch (order?.toLowerCase()) {
    case undefined:
    case 'ascending':
      return false
    case 'descending':
      return true
    default:
      throw invalidValue("sortOrder must be 'ascending' or 'descending'")
  }
}

/** RFC 7644 §3.4.2.3: a complex attribute is sorted by its `value`. */
function sortPath(type: ResourceType, name: string): AttributePath | undefined {
  const named = parseAttributePath(type, name)
  const path = named && (valuePathOf(named) ?? named)
  const attribute = path?.subAttribute ?? path?.attribute
  if (attribute?.type === 'complex') {
    throw invalidPath(`sortBy: '${name}' has no single value to sort by: name one of its sub-attributes`)
  }
  return attribute?.returned === 'never' ? undefined : path
}
