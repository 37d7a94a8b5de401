import type { FastifyInstance } from 'fastify'
import type { Authenticate, AuthFailure } from '../../access/authenticate.ts'
import { notFound, ScimError } from '../../scim/error.ts'
import { requireBearerToken } from '../authentication.ts'
import { acceptJsonBodies, SCIM_MEDIA_TYPE } from '../json-bodies.ts'
import type { BaseUrl } from '../present.ts'
import { errorAnswer, scimErrorBody } from '../scim-error.ts'
import { discoveryRoutes } from './discovery.ts'
import { type ResourceUseCases, resourceRoutes } from './resources.ts'

export interface ScimRoutesOptions {
  readonly authenticate: Authenticate
  readonly onAuthFailure: (reason: AuthFailure) => void
  readonly resources: readonly ResourceUseCases[]
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
  app.setErrorHandler((error, request, reply) => {
    const answer = errorAnswer(error, options.isUnavailable)
    if (answer.status >= 500) request.log.error({ err: error }, 'request failed')
    // The log masks addresses in messages, and in nothing else.
    else request.log.info({ status: answer.status, scimType: answer.scimType }, `refused: ${answer.detail}`)
    return reply.code(answer.status).headers(answer.headers).send(scimErrorBody(answer, request.id))
  })
  app.setNotFoundHandler(async (request) => {
    throw notFound(`nothing is at ${request.url.split('?')[0]}`)
  })
  await requireBearerToken(app, options.authenticate, options.onAuthFailure)
  for (const useCases of options.resources) resourceRoutes(app, useCases, options.baseUrl)
  discoveryRoutes(app, options.baseUrl)
  unsupportedEndpoints(app)
  refuseOtherMethods(
    app,
    options.resources.map(({ type }) => type.endpoint),
  )
}

/** RFC 7644 §3.11 for /Me: the client is a provisioning service, not a person with a resource of its own. */
function unsupportedEndpoints(app: FastifyInstance): void {
  for (const path of ['/Me', '/Bulk', '/.search']) {
    app.all(path, async () => {
      throw new ScimError(501, undefined, `${path} is not supported`)
    })
  }
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** RFC 9110 §15.5.6: a method that a resource does not have is 405 with Allow, not "not found". */
function refuseOtherMethods(app: FastifyInstance, endpoints: readonly string[]): void {
  const allowed: [path: string, methods: readonly string[]][] = [
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
      method: METHODS.filter((method) => !methods.includes(method)),
      url: path,
      handler: async (request, reply) => {
        reply.header('Allow', methods.join(', '))
        throw new ScimError(405, undefined, `${request.method} is not possible here`)
      },
    })
  }
}
