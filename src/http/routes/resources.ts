import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { StoredResource } from '../../directory/stored-resource.ts'
import type { JsonObject } from '../../scim/attribute.ts'
import { notFound } from '../../scim/error.ts'
import { etagOf, matchesEtag } from '../../scim/etag.ts'
import { type Projection, parseProjection } from '../../scim/project.ts'
import { callerOf, principalOf } from '../authentication.ts'
import { type BaseUrl, locationOf, presentProjected } from '../present.ts'
import type { ResourceUseCases } from '../resource-use-cases.ts'

type Query = Record<string, string | string[] | undefined>
type ResourceRequest = FastifyRequest<{ Params: { id: string }; Querystring: Query }>

/** RFC 7644 §3.2: the endpoints of one type of resource, its lists aside. */
export function resourceRoutes(app: FastifyInstance, useCases: ResourceUseCases, baseUrl: BaseUrl): void {
  const { type } = useCases
  const collection = type.endpoint
  const single = `${collection}/:id`

  const projectionOf = (request: FastifyRequest): Projection => parseProjection(type, request.query as Query)

  async function body(
    request: FastifyRequest,
    stored: StoredResource,
    projection: Projection,
  ): Promise<JsonObject> {
    const base = baseUrl(request)
    const parts = await useCases.parts(principalOf(request).tenantId, [stored.id], base, projection)
    return presentProjected(type, stored, base, projection, parts.get(stored.id))
  }

  async function send(
    request: FastifyRequest,
    reply: FastifyReply,
    stored: StoredResource,
    projection: Projection,
  ): Promise<JsonObject> {
    reply.header('ETag', etagOf(stored.version))
    reply.header('Location', locationOf(baseUrl(request), type, stored.id))
    return body(request, stored, projection)
  }

  app.post(collection, async (request, reply) => {
    const projection = projectionOf(request)
    const stored = await useCases.create(callerOf(request), request.body)
    reply.code(201)
    return send(request, reply, stored, projection)
  })

  app.get(single, async (request: ResourceRequest, reply) => {
    const projection = projectionOf(request)
    const { id } = request.params
    const stored = await useCases.find(principalOf(request).tenantId, id)
    if (!stored) throw notFound(`${type.name} '${id}' not found`)
    const ifNoneMatch = request.headers['if-none-match']
    if (ifNoneMatch !== undefined && matchesEtag(ifNoneMatch, etagOf(stored.version))) {
      reply.code(304).header('ETag', etagOf(stored.version))
      return reply.send()
    }
    return send(request, reply, stored, projection)
  })

  app.put(single, async (request: ResourceRequest, reply) => {
    const projection = projectionOf(request)
    const stored = await useCases.replace(
      callerOf(request),
      request.params.id,
      request.body,
      request.headers['if-match'],
    )
    return send(request, reply, stored, projection)
  })

  app.patch(single, async (request: ResourceRequest, reply) => {
    const projection = projectionOf(request)
    const stored = await useCases.patch(
      callerOf(request),
      request.params.id,
      request.body,
      request.headers['if-match'],
    )
    const named = request.query.attributes !== undefined || request.query.excludedAttributes !== undefined
    if (useCases.patchAnswersNoContent && !named) {
      return reply.code(204).header('ETag', etagOf(stored.version)).send()
    }
    return send(request, reply, stored, projection)
  })

  app.delete(single, async (request: ResourceRequest, reply) => {
    await useCases.delete(callerOf(request), request.params.id, request.headers['if-match'])
    return reply.code(204).send()
  })
}
