import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type QueryParameters, readSearchRequest } from '../../scim/query.ts'
import { principalOf } from '../authentication.ts'
import type { ListResources } from '../lists.ts'
import type { BaseUrl } from '../present.ts'
import type { ResourceUseCases } from '../resource-use-cases.ts'

/** RFC 7644 §3.4.2 and §3.4.3: queries of each type of resource, and of all together at the root. */
export function listRoutes(
  app: FastifyInstance,
  resources: readonly ResourceUseCases[],
  list: ListResources,
  baseUrl: BaseUrl,
): void {
  const answer = (among: readonly ResourceUseCases[], request: FastifyRequest, parameters: QueryParameters) =>
    list(among, { tenantId: principalOf(request).tenantId, base: baseUrl(request), parameters })

  const listAt = (path: string, among: readonly ResourceUseCases[]) => {
    app.get(path === '' ? '/' : path, async (request) =>
      answer(among, request, request.query as QueryParameters),
    )
    app.post(`${path}/.search`, async (request) => answer(among, request, readSearchRequest(request.body)))
  }

  listAt('', resources)
  for (const useCases of resources) listAt(useCases.type.endpoint, [useCases])
}
