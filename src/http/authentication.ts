import bearerAuth from '@fastify/bearer-auth'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticate } from '../access/authenticate.ts'
import type { AuthFailure, Principal } from '../access/principal.ts'
import type { Caller } from '../provisioning/context.ts'
import { ScimError } from '../scim/error.ts'
import type { FailureLimit } from './failure-limit.ts'
import { AuthenticationError, TooManyFailures } from './scim-error.ts'

const principals = new WeakMap<FastifyRequest, Principal>()

/** Who sent the request. Only for routes behind `requireBearerToken`. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request)
  if (!principal) throw new TypeError('the route is not behind authentication')
  return principal
}

/** The same, for what changes something and tells in whose name. */
export function callerOf(request: FastifyRequest): Caller {
  const { tenantId, credential } = principalOf(request)
  return { tenantId, actor: credential, requestId: request.id }
}

/** The name of the credential; undefined when none was right, or none was asked for. */
export const credentialOf = (request: FastifyRequest): string | undefined =>
  principals.get(request)?.credential

export interface BearerTokenOptions {
  readonly authenticate: Authenticate
  readonly onAuthFailure: (reason: AuthFailure) => void
  readonly failureLimit: FailureLimit
}

/**
 * Every route of this scope, "not found" included, asks for a bearer token. The answer to a wrong one does not say what
 * is wrong with it; the metric and the log do.
 */
export async function requireBearerToken(app: FastifyInstance, options: BearerTokenOptions): Promise<void> {
  await app.register(bearerAuth, {
    keys: new Set<string>(),
    // The hook is added below, so that a refusal is thrown and no handler runs after it.
    addHook: false,
    // RFC 6749 §5.1: the scheme's name is compared without case.
    specCompliance: 'rfc6749',
    verifyErrorLogLevel: 'silent',
    auth: async (token: string, request: FastifyRequest) => {
      const result = await options.authenticate(token)
      if ('failure' in result) throw refusal(options, request, result.failure, result.credential)
      principals.set(request, result.principal)
      return true
    },
  })
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const sent = authorizationsOf(request)
    if (sent.every((value) => value === '')) throw refusal(options, request, 'missing')
    // Of two, Node would keep the first one, and a proxy may have checked the other.
    if (sent.length > 1) throw refusal(options, request, 'malformed')
    await new Promise<void>((resolve, reject) => {
      app.verifyBearerAuth?.(request, reply, (error?: Error) => (error ? reject(error) : resolve()))
    }).catch((error) => {
      const isPluginsOwn = String(error?.code).startsWith('FST_BEARER_AUTH')
      throw isPluginsOwn ? refusal(options, request, 'malformed') : error
    })
  })
  app.addHook('onRequest', refuseChangesOfReaders)
}

const authorizationsOf = (request: FastifyRequest): readonly string[] =>
  request.raw.headersDistinct.authorization ?? []

function refusal(
  { onAuthFailure, failureLimit }: BearerTokenOptions,
  request: FastifyRequest,
  reason: AuthFailure,
  credential?: string,
): AuthenticationError | TooManyFailures {
  onAuthFailure(reason)
  const source = request.ip
  const excess = failureLimit(source)
  if (excess) {
    if (excess.isFirst) {
      request.log.warn(
        { source, reason },
        'too many authentication failures from one address: answered with 429 and not logged for a minute',
      )
    }
    return new TooManyFailures(excess.retryAfterSeconds)
  }
  request.log.warn({ reason, source, credential }, 'authentication failed')
  return reason === 'missing'
    ? new AuthenticationError('send a token in the Authorization header, as "Bearer TOKEN"')
    : new AuthenticationError('the bearer token is not valid', {
        tokenSent: authorizationsOf(request).some((value) => /^bearer\s+\S/i.test(value)),
      })
}

const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** RFC 7644 §3.4.3: a search is a POST, and changes nothing. */
const isReading = ({ method, routeOptions }: FastifyRequest): boolean =>
  READING_METHODS.has(method) || (method === 'POST' && routeOptions.url?.endsWith('/.search') === true)

async function refuseChangesOfReaders(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (principalOf(request).access === 'write' || isReading(request)) return
  // RFC 6750 §3.1.
  reply.header('WWW-Authenticate', 'Bearer realm="scim", error="insufficient_scope"')
  throw new ScimError(403, undefined, 'the credential may read, and may change nothing')
}
