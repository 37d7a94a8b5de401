import type { JsonObject, Resource, ResourceType } from '../../src/scim/attribute.ts'
import { listResponse } from '../../src/scim/discovery.ts'
import { errorBody, invalidValue, notFound, ScimError, uniqueness } from '../../src/scim/error.ts'
import { etagOf } from '../../src/scim/etag.ts'
import { parseFilter } from '../../src/scim/filter.ts'
import { elementMatches, matchesFilter } from '../../src/scim/filter-match.ts'
import { fold } from '../../src/scim/fold.ts'
import { type MemberChange, readMemberValues, splitMemberOperations } from '../../src/scim/members.ts'
import { parsePage } from '../../src/scim/page.ts'
import { applyPatch, parsePatch } from '../../src/scim/patch.ts'
import { parseProjection, project } from '../../src/scim/project.ts'
import { readResource, renderResource } from '../../src/scim/resource.ts'
import { groupType, userType } from './examples.ts'
import type { Exchange } from './exchange.ts'

interface Entry {
  readonly id: string
  readonly resource: Resource
  readonly members: readonly string[]
}

export interface Answer {
  readonly status: number
  readonly body?: JsonObject
}

/** A directory in memory, made of the pure rules alone, so that exchanges can be replayed without a server. */
export function pureDirectory(): (request: Exchange['request']) => Answer {
  const stores = new Map(
    [userType, groupType].map((type) => [
      type.endpoint.slice(1),
      { type, entries: new Map<string, Entry>() },
    ]),
  )
  const users = stores.get('Users')
  let lastId = 0

  function render(type: ResourceType, { id, resource, members }: Entry): JsonObject {
    const rendered =
      members.length > 0 ? { ...resource, members: members.map((value) => ({ value })) } : resource
    const at = '2026-01-01T00:00:00Z'
    const location = `http://localhost/scim/v2${type.endpoint}/${id}`
    return renderResource(type, {
      id,
      resource: rendered,
      created: at,
      lastModified: at,
      version: etagOf(1),
      location,
    })
  }

  function save(type: ResourceType, entries: Map<string, Entry>, entry: Entry): Entry {
    const name = (resource: Resource) => fold(String(resource.userName ?? resource.displayName))
    const isTaken = [...entries.values()].some(
      (each) => each.id !== entry.id && name(each.resource) === name(entry.resource),
    )
    if (isTaken) throw uniqueness(`${type.name} exists`)
    const unknown = entry.members.find((id) => !users?.entries.has(id))
    if (unknown !== undefined) throw invalidValue(`no user ${unknown}`)
    entries.set(entry.id, entry)
    return entry
  }

  function answer({ method, path, body }: Exchange['request']): Answer {
    const url = new URL(`http://localhost${path}`)
    const [collection = '', id = ''] = url.pathname.split('/').filter((part) => part !== '')
    const store = stores.get(collection)
    if (!store) throw notFound(`no ${collection}`)
    const { type, entries } = store
    const query = Object.fromEntries(url.searchParams)
    const shown = (entry: Entry) => project(type, render(type, entry), parseProjection(type, query))
    if (method === 'POST') {
      const { members, ...resource } = readResource(type, body)
      const entry = { id: `id-${++lastId}`, resource, members: readMemberValues(members) }
      return { status: 201, body: shown(save(type, entries, entry)) }
    }
    if (id === '') {
      const all = [...entries.values()]
      const filter = query.filter === undefined ? undefined : parseFilter(type, query.filter)
      const found = filter ? all.filter((entry) => matchesFilter(filter, render(type, entry))) : all
      const asked = parsePage(query)
      if (asked.kind === 'cursor') throw invalidValue('cursors need a server')
      const { startIndex, count } = asked
      const page = found.slice(startIndex - 1, startIndex - 1 + count)
      return { status: 200, body: listResponse(page.map(shown), { totalResults: found.length, startIndex }) }
    }
    const current = entries.get(id)
    if (!current) throw notFound(`no ${id}`)
    if (method === 'GET') return { status: 200, body: shown(current) }
    if (method === 'DELETE') {
      entries.delete(id)
      return { status: 204 }
    }
    const { attributes, members } = splitMemberOperations(parsePatch(type, body))
    const resource = applyPatch(type, current.resource, attributes)
    const entry = save(type, entries, {
      id,
      resource,
      members: members.reduce(applyMembers, current.members),
    })
    return type === groupType ? { status: 204 } : { status: 200, body: shown(entry) }
  }

  return (request) => {
    try {
      return answer(request)
    } catch (error) {
      if (!(error instanceof ScimError)) throw error
      const { status, scimType, message: detail } = error
      return { status, body: { ...errorBody({ status, scimType, detail }) } }
    }
  }
}

function applyMembers(members: readonly string[], change: MemberChange): readonly string[] {
  switch (change.kind) {
    case 'add':
      return [...new Set([...members, ...change.values])]
    case 'replace':
      return change.values
    case 'remove':
      return members.filter((member) => !change.values.includes(member))
    case 'removeWhere':
      return members.filter((value) => !elementMatches(change.filter, { value, type: 'User' }))
  }
}
