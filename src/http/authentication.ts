import bearerAuth from '@fastify/bearer-auth'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticate, AuthFailure, Principal } from '../access/authenticate.ts'
import { AuthenticationError } from './scim-error.ts'

const principals = new WeakMap<FastifyRequest, Principal>()

/** Who sent the request. Only for routes behind `requireBearerToken`. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request)
  if (!principal) throw new TypeError('the route is not behind authentication')
  return principal
}

/**
 * Every route of this scope, "not found" included, asks for a bearer token. The answer to a wrong one does not say what
 * is wrong with it; the metric and the log do.
 */
export async function requireBearerToken(
  app: FastifyInstance,
  authenticate: Authenticate,
  onFailure: (reason: AuthFailure) => void,
): Promise<void> {
  const refuse = (request: FastifyRequest, reason: AuthFailure): AuthenticationError => {
    onFailure(reason)
    request.log.warn({ reason }, 'authentication failed')
    return new AuthenticationError(
      reason === 'missing'
        ? 'send a bearer token in the Authorization header'
        : 'the bearer token is not valid',
    )
  }
  await app.register(bearerAuth, {
    keys: new Set<string>(),
    // The hook is added below, so that a refusal is thrown and no handler runs after it.
    addHook: false,
    // RFC 6749 §5.1: the scheme's name is compared without case.
    specCompliance: 'rfc6749',
    verifyErrorLogLevel: 'silent',
    auth: async (token: string, request: FastifyRequest) => {
      const result = await authenticate(token)
      if ('failure' in result) throw refuse(request, result.failure)
      principals.set(request, result.principal)
      return true
    },
  })
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    if (!request.headers.authorization) throw refuse(request, 'missing')
    await new Promise<void>((resolve, reject) => {
      app.verifyBearerAuth?.(request, reply, (error?: Error) => (error ? reject(error) : resolve()))
    }).catch((error) => {
      const isPluginsOwn = String(error?.code).startsWith('FST_BEARER_AUTH')
      throw isPluginsOwn ? refuse(request, 'malformed') : error
    })
  })
}
