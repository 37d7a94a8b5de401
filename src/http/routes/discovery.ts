import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { JsonObject } from '../../scim/attribute.ts'
import {
  listResponse,
  resourceTypeResources,
  schemaResources,
  serviceProviderConfig,
} from '../../scim/discovery.ts'
import { notFound, ScimError } from '../../scim/error.ts'
import type { ResourceTypes } from '../../scim/resource-types.ts'
import type { BaseUrl } from '../present.ts'

/** RFC 7644 §4: sorting and paging are ignored, a filter is refused. */
export function discoveryRoutes(app: FastifyInstance, types: ResourceTypes, baseUrl: BaseUrl): void {
  app.get('/ServiceProviderConfig', { onRequest: refuseFilter }, async (request) =>
    serviceProviderConfig(baseUrl(request)),
  )
  collection(app, '/ResourceTypes', (request) => resourceTypeResources(types, baseUrl(request)))
  collection(app, '/Schemas', (request) => schemaResources(types, baseUrl(request)))
}

async function refuseFilter(request: FastifyRequest): Promise<void> {
  if ((request.query as Record<string, unknown>).filter === undefined) return
  throw new ScimError(403, undefined, 'what the server says about itself cannot be filtered')
}

function collection(
  app: FastifyInstance,
  path: string,
  resources: (request: FastifyRequest) => JsonObject[],
): void {
  app.get(path, { onRequest: refuseFilter }, async (request) => {
    const all = resources(request)
    return listResponse(all, { totalResults: all.length, startIndex: 1 })
  })

  app.get(`${path}/:id`, { onRequest: refuseFilter }, async (request) => {
    const { id } = request.params as { id: string }
    const found = resources(request).find(
      (resource) => String(resource.id).toLowerCase() === id.toLowerCase(),
    )
    if (!found) throw notFound(`${path.slice(1)} has no '${id}'`)
    return found
  })
}
