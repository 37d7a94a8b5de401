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
  app.get('/ServiceProviderConfig', async (request) => serviceProviderConfig(baseUrl(request)))
  collection(app, '/ResourceTypes', (request) => resourceTypeResources(types, baseUrl(request)))
  collection(app, '/Schemas', (request) => schemaResources(types, baseUrl(request)))
}

function collection(
  app: FastifyInstance,
  path: string,
  resources: (request: FastifyRequest) => JsonObject[],
): void {
  app.get(path, async (request) => {
    if ((request.query as Record<string, unknown>).filter !== undefined) {
      throw new ScimError(403, undefined, `${path} cannot be filtered`)
    }
    const all = resources(request)
    return listResponse(all, { totalResults: all.length, startIndex: 1 })
  })

  app.get(`${path}/:id`, async (request: FastifyRequest<{ Params: { id: string } }>) => {
    const { id } = request.params
    const found = resources(request).find(
      (resource) => String(resource.id).toLowerCase() === id.toLowerCase(),
    )
    if (!found) throw notFound(`${path.slice(1)} has no '${id}'`)
    return found
  })
}
