import type { FastifyInstance, FastifyRequest } from 'fastify'
import { notFound, ScimError } from '../../scim/error.ts'
import type { ResourceTypes } from '../../scim/resource-types.ts'
import { type BearerTokenOptions, principalOf, requireBearerToken } from '../authentication.ts'
import type { BulkContext } from '../bulk.ts'
import { checkRequest } from '../check-request.ts'
import { acceptJsonBodies, SCIM_MEDIA_TYPE } from '../json-bodies.ts'
import type { ListResources } from '../lists.ts'
import type { BaseUrl } from '../present.ts'
import type { RequestRate } from '../request-rate.ts'
import type { ResourceUseCases } from '../resource-use-cases.ts'
import { type ErrorAnswer, errorAnswer, scimErrorBody, TooManyFailures } from '../scim-error.ts'
import { bulkRoute } from './bulk.ts'
import { discoveryRoutes } from './discovery.ts'
import { listRoutes } from './lists.ts'
import { resourceRoutes } from './resources.ts'

export interface ScimRoutesOptions extends BearerTokenOptions {
  /** Undefined when tenants may ask as often as they like. */
  readonly rate: RequestRate | undefined
  readonly types: ResourceTypes
  readonly resources: readonly ResourceUseCases[]
  readonly list: ListResources
  readonly together: BulkContext['together']
  /** The store itself cannot serve: unlike `isUnavailable`, not a transaction that lost against others. */
  readonly isAway: BulkContext['isAway']
  /** The process is about to end: what takes long must answer with what it has done. */
  readonly isEnding: () => boolean
  readonly baseUrl: BaseUrl
  readonly isUnavailable: (error: unknown) => boolean
}

/** Everything under /scim/v2: one scope with its own bodies, errors and credentials. */
export async function scimRoutes(app: FastifyInstance, options: ScimRoutesOptions): Promise<void> {
  acceptJsonBodies(app)
  // Exactly the media type, without parameters: Entra's validator compares it as a string.
  app.addHook('onSend', async (_request, reply, payload) => {
    if (payload) reply.header('Content-Type', SCIM_MEDIA_TYPE)
    return payload
  })
  const answerOf = (error: unknown, request: FastifyRequest): ErrorAnswer => {
    const answer = errorAnswer(error, options.isUnavailable)
    // What the service itself says, 501 for example, is no failure of it.
    const hasFailed = answer.status >= 500 && !(error instanceof ScimError)
    if (hasFailed) request.log.error({ err: error }, 'request failed')
    // The log masks addresses in messages, and in nothing else.
    else if (!(error instanceof TooManyFailures)) {
      request.log.info({ status: answer.status, scimType: answer.scimType }, `refused: ${answer.detail}`)
    }
    return answer
  }
  app.setErrorHandler((error, request, reply) => {
    const answer = answerOf(error, request)
    return reply.code(answer.status).headers(answer.headers).send(scimErrorBody(answer, request.id))
  })
  app.setNotFoundHandler(async (request) => {
    if (!METHODS.some((method) => method === request.method)) {
      throw new ScimError(501, undefined, `nothing here knows the method ${request.method}`)
    }
    throw notFound(`nothing is at ${request.url.split('?')[0]}`)
  })
  await requireBearerToken(app, options)
  app.addHook('onRequest', async (request) => checkRequest(request))
  if (options.rate) limitRate(app, options.rate)
  for (const useCases of options.resources) resourceRoutes(app, useCases, options.baseUrl)
  listRoutes(app, options.resources, options.list, options.baseUrl)
  bulkRoute(app, { ...options, answerOf })
  discoveryRoutes(app, options.types, options.baseUrl)
  app.all('/Me', { onRequest: refuseMe }, async () => {})
  refuseOtherMethods(
    app,
    options.resources.map(({ type }) => type.endpoint),
  )
}

/** RFC 6585 §4. A request that is refused is not counted, so that who goes on at the right speed is served. */
function limitRate(app: FastifyInstance, rate: RequestRate): void {
  app.addHook('onRequest', async (request, reply) => {
    const refused = rate(principalOf(request).tenantId)
    if (!refused) return
    reply.header('Retry-After', String(refused.retryAfterSeconds))
    throw new ScimError(429, undefined, 'too many requests; try again after the time of Retry-After')
  })
}

/** RFC 7644 §3.11. */
async function refuseMe(): Promise<void> {
  throw new ScimError(501, undefined, 'the credential is that of a client, which has no resource of its own')
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const

/** RFC 9110 §15.5.6: a method that a resource does not have is 405 with Allow, not "not found". */
function refuseOtherMethods(app: FastifyInstance, endpoints: readonly string[]): void {
  const allowed: [path: string, methods: readonly string[]][] = [
    ['/', ['GET']],
    ...['/Bulk', '/.search', ...endpoints.map((endpoint) => `${endpoint}/.search`)].map(
      (path): [string, readonly string[]] => [path, ['POST']],
    ),
    ...endpoints.flatMap((endpoint): [string, readonly string[]][] => [
      [endpoint, ['GET', 'POST']],
      [`${endpoint}/:id`, ['GET', 'PUT', 'PATCH', 'DELETE']],
    ]),
    ...['/ServiceProviderConfig', '/ResourceTypes', '/ResourceTypes/:id', '/Schemas', '/Schemas/:id'].map(
      (path): [string, readonly string[]] => [path, ['GET']],
    ),
  ]
  for (const [path, methods] of allowed) {
    app.route({
      // Fastify answers HEAD wherever it answers GET.
      method: METHODS.filter((method) => !methods.includes(method === 'HEAD' ? 'GET' : method)),
      url: path,
      // Before the body is looked at: whatever is in it, it is not wanted here.
      onRequest: async (request, reply) => {
        reply.header(
          'Allow',
          methods.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each])).join(', '),
        )
        throw new ScimError(405, undefined, `${request.method} is not possible here`)
      },
      handler: async () => {},
    })
  }
}
