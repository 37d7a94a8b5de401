import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { JsonObject } from '../../scim/attribute.ts'
import type { ResourceTypes } from '../../scim/resource-types.ts'
import { type KnownRoute, openApiDocument } from '../openapi.ts'
import { forApiGateway } from '../openapi-gateway.ts'
import { type BaseUrl, SCIM_PREFIX } from '../present.ts'

export interface OpenApiRouteOptions {
  readonly types: ResourceTypes
  readonly baseUrl: BaseUrl
  /** Of the service. */
  readonly version: string
}

/**
 * GET /openapi.json. To be called before any other route is added, since it describes those that are added from then on,
 * as far as the table of operations has them.
 */
export function openApiRoute(app: FastifyInstance, { types, baseUrl, version }: OpenApiRouteOptions): void {
  const routes: KnownRoute[] = []
  app.addHook('onRoute', ({ method, url }) => {
    const path = url.replace(/(?<=.)\/$/, '')
    for (const each of [method].flat()) routes.push({ method: each, path })
  })
  // Anybody may ask, and the answer seldom differs from the last one.
  let last: { root: string; document: JsonObject } | undefined
  const documentOf = (request: FastifyRequest): JsonObject => {
    const root = baseUrl(request).slice(0, -SCIM_PREFIX.length)
    if (last?.root !== root) last = { root, document: openApiDocument({ routes, types, root, version }) }
    return last.document
  }

  app.get('/openapi.json', async (request, reply) => {
    const { for: reader } = request.query as Record<string, unknown>
    if (reader === undefined) return documentOf(request)
    if (reader === 'amazon-api-gateway') return forApiGateway(documentOf(request))
    return reply.code(400).send({ error: 'the one value of "for" is "amazon-api-gateway"' })
  })
}
