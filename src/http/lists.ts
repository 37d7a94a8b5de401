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

export interface ListRequest {
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
      const totalResults = await countResources(db, tenantId, query)
      const { startIndex, count } = page
      const isEmpty = count === 0 || startIndex > totalResults
      const found = isEmpty
        ? []
        : await listResources(db, tenantId, query, { limit: count, offset: startIndex - 1 })
      return listResponse(await render(found), { totalResults, startIndex })
    }

    const scope = JSON.stringify([CURSOR_VERSION, tenantId, listKey])
    const before = page.cursor === '' ? undefined : await cursors.open(scope, page.cursor)
    const count = before ? cursorCount(page.count, before.count) : (page.count ?? DEFAULT_COUNT)
    const totalResults = before?.totalResults ?? (await countResources(db, tenantId, query))
    // One more than is shown tells whether there is a next part (RFC 9865 §2.1: the last one has no nextCursor).
    const found =
      count === 0 ? [] : await listResources(db, tenantId, query, { limit: count + 1, after: before?.after })
    const shown = found.slice(0, count)
    const last = shown.at(-1)
    const nextCursor =
      last && found.length > count
        ? await cursors.seal(scope, { count, totalResults, after: last.place })
        : undefined
    return listResponse(await render(shown), { totalResults, nextCursor })
  }
}

async function renderAll(
  resources: readonly ResourceUseCases[],
  targets: readonly QueryTarget[],
  found: readonly ListedResource[],
  tenantId: number,
  base: string,
): Promise<JsonObject[]> {
  const rendered = new Map<ListedResource, JsonObject>()
  for (const { type, projection } of targets) {
    const ofType = found.filter((each) => each.type === type)
    const ids = ofType.map(({ resource }) => resource.id)
    const parts = await resources.find((each) => each.type === type)?.parts(tenantId, ids, base, projection)
    for (const each of ofType) {
      const { resource } = each
      rendered.set(each, presentProjected(type, resource, base, projection, parts?.get(resource.id)))
    }
  }
  return found.flatMap((each): JsonObject[] => {
    const resource = rendered.get(each)
    return resource ? [resource] : []
  })
}
