import { countResources, type ListedResource, type ListPlace, listResources } from '../directory/list.ts'
import type { ProvisioningContext } from '../provisioning/context.ts'
import type { JsonObject } from '../scim/attribute.ts'
import { listResponse } from '../scim/discovery.ts'
import { cursorCount, DEFAULT_COUNT } from '../scim/page.ts'
import { parseQuery, type QueryParameters, type QueryTarget } from '../scim/query.ts'
import type { Cursors } from './cursors.ts'
import { presentProjected } from './present.ts'
import type { ResourceUseCases } from './resource-use-cases.ts'

/** What a cursor holds: where the next part begins, and what must not change from part to part. */
export interface CursorContent {
  readonly count: number
  /** As counted for the first part. */
  readonly totalResults: number
  readonly after: ListPlace
}

interface ListRequest {
  readonly tenantId: number
  readonly base: string
  readonly parameters: QueryParameters
}

/** Answers a query of one type of resource, or of several together (RFC 7644 §3.4.2). */
export type ListResources = (
  resources: readonly ResourceUseCases[],
  request: ListRequest,
) => Promise<JsonObject>

/** The version of what cursors hold: one of another version is no cursor. */
const CURSOR_VERSION = 1

export function createLists(db: ProvisioningContext['db'], cursors: Cursors<CursorContent>): ListResources {
  return async (resources, { tenantId, base, parameters }) => {
    const { targets, sort, page, listKey } = parseQuery(
      resources.map(({ type }) => type),
      parameters,
    )
    const query = { targets, sort, base }
    const render = (found: readonly ListedResource[]) => renderAll(resources, targets, found, tenantId, base)

    if (page.kind === 'index') {
      const { startIndex, count } = page
      const offset = startIndex - 1
      const found = count === 0 ? [] : await listResources(db, tenantId, query, { limit: count, offset })
      // A list that ends within the page, as every look-up does, tells by itself how long it is.
      const ends = found.length < count && (found.length > 0 || offset === 0)
      const shown = offset + found.length
      const totalResults = ends ? shown : await countAtLeast(db, tenantId, query, found.length && shown)
      return listResponse(await render(found), { totalResults, startIndex })
    }

    const scope = JSON.stringify([CURSOR_VERSION, tenantId, listKey])
    const before = page.cursor === '' ? undefined : await cursors.open(scope, page.cursor)
    const count = before ? cursorCount(page.count, before.count) : (page.count ?? DEFAULT_COUNT)
    // One more than is shown tells whether there is a next part (RFC 9865 §2.1: the last one has no nextCursor).
    const found =
      count === 0 ? [] : await listResources(db, tenantId, query, { limit: count + 1, after: before?.after })
    const shown = found.slice(0, count)
    const last = found.length > count ? shown.at(-1) : undefined
    const isWhole = count > 0 && !last
    const totalResults =
      before?.totalResults ?? (isWhole ? found.length : await countAtLeast(db, tenantId, query, found.length))
    const nextCursor = last && (await cursors.seal(scope, { count, totalResults, after: last.place }))
    return listResponse(await render(shown), { totalResults, nextCursor })
  }
}

/** What was seen a moment ago counts, should it have been deleted since: no list counts less than it shows. */
const countAtLeast = async (...[db, tenantId, query, seen]: [...Parameters<typeof countResources>, number]) =>
  Math.max(seen, await countResources(db, tenantId, query))

async function renderAll(
  resources: readonly ResourceUseCases[],
  targets: readonly QueryTarget[],
  found: readonly ListedResource[],
  tenantId: number,
  base: string,
): Promise<JsonObject[]> {
  const parts = new Map<string, JsonObject>()
  for (const [rank, { projection }] of targets.entries()) {
    const ids = found.filter(({ place }) => place.rank === rank).map(({ resource }) => resource.id)
    const ofType = (await resources[rank]?.parts(tenantId, ids, base, projection)) ?? new Map()
    for (const [id, part] of ofType) parts.set(id, part)
  }
  return found.flatMap(({ type, resource, place }): JsonObject[] => {
    const target = targets[place.rank]
    return target ? [presentProjected(type, resource, base, target.projection, parts.get(resource.id))] : []
  })
}
