import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ASSERTION_ALGORITHMS } from '../../access/oauth-authenticate.ts'
import { type ClientFailure, invalidRequest, OauthError } from '../../access/oauth-error.ts'
import { GRANT_TYPE, SCOPE } from '../../access/oauth-request.ts'
import { ACCESS_TOKEN_SECONDS, type GrantAccess } from '../../access/oauth-tokens.ts'
import type { FailureLimit } from '../failure-limit.ts'
import { type BaseUrl, SCIM_PREFIX } from '../present.ts'
import { RETRY_AFTER_SECONDS } from '../scim-error.ts'

export interface OauthRoutesOptions {
  readonly grantAccess: GrantAccess
  readonly onAuthFailure: (reason: ClientFailure) => void
  /** One with the SCIM routes, so that a source cannot try twice as much. */
  readonly failureLimit: FailureLimit
  readonly baseUrl: BaseUrl
  readonly isUnavailable: (error: unknown) => boolean
}

const TOKEN_PATH = '/oauth2/token'
const METADATA_PATH = '/.well-known/oauth-authorization-server'
const FORM = 'application/x-www-form-urlencoded'
/** An assertion has 16 KiB at most. */
const BODY_LIMIT_BYTES = 64 * 1024

/** Where clients get their access tokens (RFC 6749), and what says so (RFC 8414). */
export async function oauthRoutes(app: FastifyInstance, options: OauthRoutesOptions): Promise<void> {
  await app.register(async (scope) => tokenRoute(scope, options))
  metadataRoutes(app, options.baseUrl)
}

function tokenRoute(app: FastifyInstance, options: OauthRoutesOptions): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(FORM, { parseAs: 'string' }, (request, body, done) => {
    const isPlain = (request.headers['content-encoding'] ?? 'identity') === 'identity'
    done(isPlain ? null : invalidRequest('an encoded body is not understood'), body)
  })
  // RFC 6749 §5.1; and an error is no more for keeping.
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('Cache-Control', 'no-store').header('Pragma', 'no-cache')
    return payload
  })
  app.setErrorHandler((error, request, reply) => answerError(options, error, request, reply))
  app.post(TOKEN_PATH, { bodyLimit: BODY_LIMIT_BYTES }, async (request) => {
    // Of two, Node would keep the first one, and a proxy may have checked the other.
    if ((request.raw.headersDistinct.authorization ?? []).length > 1) {
      throw invalidRequest('the Authorization header is given more than once')
    }
    if (typeof request.body !== 'string') throw invalidRequest(`send ${FORM}`)
    const accessToken = await options.grantAccess(request.body, request.headers.authorization)
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: ACCESS_TOKEN_SECONDS,
      scope: SCOPE,
    }
  })
  app.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'],
    url: TOKEN_PATH,
    // Before a body is looked at.
    onRequest: async (_request, reply) =>
      reply.code(405).header('Allow', 'POST').send(oauthError('invalid_request', 'send a POST')),
    handler: async () => {},
  })
}

const oauthError = (error: string, description: string) => ({ error, error_description: description })

function answerError(
  options: OauthRoutesOptions,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error instanceof OauthError) return answerRefusal(options, error, request, reply)
  // Before the store's errors, which have no status: a connection that the client ended has the code of one that Postgres did.
  const { statusCode = 500 } = error as FastifyError
  if (statusCode === 415) return reply.code(400).send(oauthError('invalid_request', `send ${FORM}`))
  if (statusCode >= 400 && statusCode < 500) {
    return reply.code(statusCode).send(oauthError('invalid_request', 'the request cannot be read'))
  }
  if (options.isUnavailable(error)) {
    request.log.error({ err: error }, 'token request failed')
    return reply
      .code(503)
      .header('Retry-After', String(RETRY_AFTER_SECONDS))
      .send(oauthError('temporarily_unavailable', 'try again'))
  }
  request.log.error({ err: error }, 'token request failed')
  return reply.code(500).send(oauthError('server_error', 'internal error'))
}

function answerRefusal(
  { onAuthFailure, failureLimit }: OauthRoutesOptions,
  { code, message, failure }: OauthError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (failure) onAuthFailure(failure)
  const excess = failureLimit(request.ip)
  if (excess) {
    if (excess.isFirst) request.log.warn({ source: request.ip }, TOO_MANY)
    return reply
      .code(429)
      .header('Retry-After', String(excess.retryAfterSeconds))
      .send(oauthError('temporarily_unavailable', 'too many requests were refused; try again later'))
  }
  request.log.warn({ error: code, reason: failure }, `token request refused: ${message}`)
  // RFC 9110 §15.5.2 wants the challenge with every 401, not only after Basic as RFC 6749 §5.2 does.
  if (code === 'invalid_client') reply.code(401).header('WWW-Authenticate', 'Basic realm="oauth2"')
  else reply.code(400)
  return reply.send(oauthError(code, message))
}

const TOO_MANY =
  'too many refused token requests from one address: answered with 429 and not logged for a minute'

function metadataRoutes(app: FastifyInstance, baseUrl: BaseUrl): void {
  const issuerOf = (request: FastifyRequest) => baseUrl(request).slice(0, -SCIM_PREFIX.length)
  app.get(METADATA_PATH, async (request) => metadata(issuerOf(request)))
  // RFC 8414 §3: the path of the issuer comes after the well-known one. A gateway that takes it away leads to the above.
  app.get(`${METADATA_PATH}/*`, async (request, reply) => {
    const issuer = issuerOf(request)
    const { '*': path } = request.params as { '*': string }
    // The request's Host may be none.
    if (URL.parse(issuer)?.pathname !== `/${path}`) return reply.callNotFound()
    return metadata(issuer)
  })
}

/** RFC 8414 §2. */
const metadata = (issuer: string) => ({
  issuer,
  token_endpoint: `${issuer}${TOKEN_PATH}`,
  grant_types_supported: [GRANT_TYPE],
  // Required, and empty without an authorization endpoint.
  response_types_supported: [],
  scopes_supported: [SCOPE],
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
})
