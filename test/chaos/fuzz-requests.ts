import * as fc from 'fast-check'
import type { ResourceType } from '../../src/scim/attribute.ts'
import type { ResourceTypes } from '../../src/scim/resource-types.ts'
import { type Exchange, loadFixtures } from '../scim/exchange.ts'
import { filtersOf, mutatedFilters } from '../scim/generated-filters.ts'
import { groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { pickOf, type Random, someOf } from './figures.ts'
import type { FuzzDirectory } from './fuzz-directory.ts'
import { type Draft, type DrawDraft, type Header, parameter } from './fuzz-draft.ts'
import { hostileTexts } from './hostile-values.ts'

const FOLDERS = ['entra', 'okta', 'other-clients', 'rfc-exchanges']
const SCIM = '/scim/v2'
const BULK_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const SEARCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'
const FILTERS = 1500
const SORT_ORDERS = ['ascending', 'descending', 'Descending', '', 'up']

const draft = (method: string, path: string, more: Partial<Draft> = {}): Draft => ({
  ...{ method, path, query: [], headers: [], body: undefined },
  ...more,
})

/** Draws requests that are right, or would be if the resources were as when they were seen. */
export function draftsOf(types: ResourceTypes, random: Random, directory: FuzzDirectory, seed: number) {
  const { user, group } = types
  const filters = fc.sample(
    fc.oneof(filtersOf(user), filtersOf(group), mutatedFilters(user), mutatedFilters(group)),
    { numRuns: FILTERS, seed },
  )
  const valuePaths = filters.filter((filter) => /^\w+\[[^[\]]*\]$/.test(filter))
  const written = writtenRequests()
  let created = 0
  const fresh = (): string => {
    created += 1
    return `fuzz-${created}`
  }

  function ofFixture(): Draft {
    const { request, isGiven } = pickOf(random, written)
    const { method, path, query = {}, headers = {}, body } = directory.fill(request)
    const isNew = isGiven || random(5) > 0
    return draft(method, `${SCIM}${path.split('?')[0]}`, {
      query: [
        ...(path.includes('?') ? [path.slice(path.indexOf('?') + 1)] : []),
        ...Object.entries(query).map(([name, value]) => parameter(name, value)),
      ],
      headers: Object.entries(headers),
      body: body === undefined ? undefined : { json: isNew ? withFreshNames(body, fresh()) : body },
    })
  }

  function ofResource(): Draft {
    const type = pickOf(random, [user, user, group])
    const { id, version } = directory.one(type === user ? 'User' : 'Group')
    const path = `${SCIM}${type.endpoint}/${id}`
    const headers: Header[] = random(8) === 0 ? [['If-Match', version]] : []
    switch (random(10)) {
      case 0:
        return draft('DELETE', path, { headers })
      case 1:
      case 2:
        return draft('GET', path, { query: projection(random, type) })
      case 3:
      case 4:
        return draft('PUT', path, { headers, body: { json: bodyOf(type) } })
      case 5:
        return draft('POST', `${SCIM}${type.endpoint}`, { body: { json: bodyOf(type) } })
      default:
        return draft('PATCH', path, { headers, body: { json: patchOf(type) } })
    }
  }

  function bodyOf(type: ResourceType): object {
    const name = fresh()
    if (type === group) {
      const members = Array.from({ length: random(4) }, () => ({ value: directory.one('User').id }))
      return groupBody(name, { members })
    }
    const more = someOf(random, [...type.paths.keys()], 2).map((path) => [path, valueFor(random, type, path)])
    return userBody(name, Object.fromEntries(more))
  }

  function patchOf(type: ResourceType): object {
    const operations = Array.from({ length: 1 + random(2) }, () => {
      const op = pickOf(random, ['add', 'Add', 'replace', 'Replace', 'remove', 'Remove'])
      if (type === group && random(2) === 0) {
        return { op, path: 'members', value: [{ value: directory.one('User').id }] }
      }
      const path = pickOf(random, [...type.paths.keys()])
      const value = valueFor(random, type, path)
      if (random(4) === 0) return { op, value: { [path]: value } }
      if (random(4) === 0 && valuePaths.length > 0) return { op, path: pickOf(random, valuePaths), value }
      return op.toLowerCase() === 'remove' ? { op, path } : { op, path, value }
    })
    return patchBody(...operations)
  }

  function ofList(): Draft {
    const next = random(6) === 0 ? directory.nextPage() : undefined
    if (next !== undefined) {
      const [path = '', query = ''] = next.split('?', 2)
      return draft('GET', path, { query: query.split('&') })
    }
    const path = `${SCIM}${pickOf(random, ['/Users', '/Users', '/Groups', '/Groups', ''])}`
    const type = path.endsWith('Groups') ? group : user
    const parameters: [string, unknown][] = []
    if (random(4) > 0) parameters.push(['filter', pickOf(random, filters)])
    if (random(4) === 0) parameters.push(['sortBy', pickOf(random, [...type.paths.keys(), 'x'])])
    if (random(4) === 0) parameters.push(['sortOrder', pickOf(random, SORT_ORDERS)])
    const paging = random(16)
    if (paging < 4) parameters.push(['cursor', paging === 0 ? 'x' : ''])
    else if (paging < 7) parameters.push(['startIndex', pickOf(random, [-1, 0, 2, 50, 1e20])])
    parameters.push(['count', pickOf(random, [0, 1, 2, 5, 10, 10, 10, 1000, -1, 1e20])])
    if (random(4) > 0) {
      const query = parameters.map(([name, value]) => parameter(name, String(value)))
      return draft('GET', path, { query: [...query, ...projection(random, type)] })
    }
    const json = { schemas: [SEARCH_SCHEMA], ...Object.fromEntries(parameters) }
    return draft('POST', `${path}/.search`, { body: { json } })
  }

  function ofBulk(): Draft {
    const bulkIds: string[] = []
    const operations = Array.from({ length: 1 + random(6) }, (_, index) => {
      const { method, path, body } = ofResource()
      if (!['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)) return { method, path }
      const bulkId = pickOf(random, [
        'one',
        ...[index, index, index].map((n) => `b${n}`),
        `a ${index}`,
        `\u{1F600}${index}`,
      ])
      bulkIds.push(bulkId)
      const json = body && 'json' in body ? body.json : undefined
      const data = random(4) === 0 ? withReference(json, `bulkId:${pickOf(random, bulkIds)}`) : json
      return { method, path: path.slice(SCIM.length), bulkId, data }
    })
    const failOnErrors = random(3) === 0 ? { failOnErrors: 1 + random(3) } : {}
    return draft('POST', `${SCIM}/Bulk`, {
      body: { json: { schemas: [BULK_SCHEMA], ...failOnErrors, Operations: operations } },
    })
  }

  return {
    ofFixture,
    ofResource,
    ofList,
    ofBulk,
    ofDescription: () => ofDescription(random),
  } satisfies Record<string, DrawDraft>
}

/** What the fixtures send; the resources that they need as well. Those with thousands of operations are left out. */
function writtenRequests(): { readonly request: Exchange['request']; readonly isGiven: boolean }[] {
  return FOLDERS.flatMap(loadFixtures).flatMap(({ given, exchanges }) => [
    ...given.users.map((body) => ({ request: { method: 'POST', path: '/Users', body }, isGiven: true })),
    ...given.groups.map((body) => ({ request: { method: 'POST', path: '/Groups', body }, isGiven: true })),
    ...exchanges
      .filter(({ request }) => request.repeat === undefined)
      .map(({ request }) => ({ request, isGiven: false })),
  ])
}

/** Names that are unique are made so, wherever they stand in a body. */
function withFreshNames(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((each) => withFreshNames(each, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      const isName = ['username', 'externalid', 'displayname'].includes(key.toLowerCase())
      return [key, isName && typeof each === 'string' ? `${name} ${each}` : withFreshNames(each, name)]
    }),
  )
}

function withReference(data: unknown, reference: string): unknown {
  if (typeof data !== 'object' || data === null) return data
  return { ...data, members: [{ value: reference }], manager: { value: reference } }
}

function projection(random: Random, type: ResourceType): string[] {
  const name = pickOf(random, ['attributes', 'excludedAttributes', '', ''])
  return name === '' ? [] : [parameter(name, someOf(random, [...type.paths.keys()], 4).join(','))]
}

/** Mostly of the attribute's type. */
function valueFor(random: Random, type: ResourceType, path: string): unknown {
  const found = type.paths.get(path)
  const text = pickOf(random, hostileTexts)
  const simple = (kind: string | undefined): unknown => {
    switch (kind) {
      case 'boolean':
        return pickOf<unknown>(random, [true, false, 'True', 'False'])
      case 'integer':
      case 'decimal':
        return pickOf(random, [0, -1, 1.5, 12, 2 ** 53, 1e300, -1e-300])
      case 'dateTime':
        return pickOf(random, ['2020-01-01T00:00:00Z', '9999-12-31T23:59:59.9999999+14:00', text])
      default:
        return text
    }
  }
  const { attribute, subAttribute } = found ?? {}
  if (subAttribute) return simple(subAttribute.type)
  if (attribute?.type !== 'complex')
    return attribute?.multiValued ? [simple(attribute.type)] : simple(attribute?.type)
  const parts = (attribute.subAttributes ?? []).map(({ name, type }) => [name, simple(type)])
  const whole = Object.fromEntries(someOf(random, parts, parts.length))
  return attribute.multiValued ? [whole] : whole
}

function ofDescription(random: Random): Draft {
  const path = pickOf(random, [
    ...['/healthz', '/readyz', '/metrics', '/openapi.json', '/nothing'],
    ...['', '/tenant', '/%zz'].map((rest) => `/.well-known/oauth-authorization-server${rest}`),
    ...['/ServiceProviderConfig', '/ResourceTypes', '/ResourceTypes/User', '/Schemas', '/Me', '/Nothing'].map(
      (each) => `${SCIM}${each}`,
    ),
    `${SCIM}/Schemas/urn:ietf:params:scim:schemas:core:2.0:User`,
  ])
  const query = path === '/openapi.json' && random(2) === 0 ? ['for=amazon-api-gateway'] : []
  return draft(random(10) === 0 ? 'HEAD' : 'GET', path, { query })
}
