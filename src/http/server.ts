import { randomUUID } from 'node:crypto'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify'
import { credentialOf } from './authentication.ts'
import { answerClientError, refuseExpectations, SECURITY_HEADERS } from './broken-requests.ts'
import { SERVER_LIMITS } from './edge-limits.ts'
import { SCIM_MEDIA_TYPE } from './json-bodies.ts'
import { SCIM_PREFIX } from './present.ts'
import type { RequestsInFlight } from './requests-in-flight.ts'
import { type OauthRoutesOptions, oauthRoutes } from './routes/oauth.ts'
import { openApiRoute } from './routes/openapi.ts'
import { type ProbeOptions, probeRoutes } from './routes/probes.ts'
import { type ScimRoutesOptions, scimRoutes } from './routes/scim.ts'
import { errorAnswer, scimErrorBody } from './scim-error.ts'

export interface HttpServerOptions {
  readonly log: FastifyBaseLogger
  /** Of the service, for its description. */
  readonly version: string
  /** Addresses or CIDRs whose X-Forwarded-* headers are believed. */
  readonly trustProxy: readonly string[]
  /** From then on every answer is the last of its connection, so that none is closed while a request is on its way. */
  readonly isStopping: () => boolean
  readonly inFlight: RequestsInFlight
  readonly probes: ProbeOptions
  readonly scim: ScimRoutesOptions
  readonly oauth: OauthRoutesOptions
  /** The text of /metrics; undefined when it is served on a port of its own. */
  readonly metrics: (() => Promise<{ contentType: string; text: string }>) | undefined
  /** @param route the route's pattern, never the URL */
  readonly onResponse: (method: string, route: string, status: number, seconds: number) => void
}

/** A PUT of a group with 50,000 members is about 4 MiB. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024

export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.log,
    logController: ownRequestLog(),
    trustProxy: options.trustProxy.length > 0 ? [...options.trustProxy] : false,
    bodyLimit: BODY_LIMIT_BYTES,
    // What still arrives while connections close is answered as everything before it.
    return503OnClosing: false,
    ...SERVER_LIMITS,
    clientErrorHandler: (error, socket) => answerClientError(options.log, error, socket),
    genReqId: (request) => acceptedRequestId(request.headers['x-request-id']) ?? randomUUID(),
    // Any id that is not ours is "not found", however long it is.
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 16_384 },
    frameworkErrors: (error, request, reply) => {
      const answer = errorAnswer(error, () => false)
      // The types know no route here, and so no status.
      const anyReply: FastifyReply = reply as unknown as FastifyReply
      // Bytes, because a text would get a charset appended to its media type.
      const bytes = Buffer.from(JSON.stringify(scimErrorBody(answer, request.id)))
      anyReply.code(answer.status).headers({ ...SECURITY_HEADERS, 'X-Request-Id': request.id })
      anyReply.header('Content-Type', SCIM_MEDIA_TYPE).send(bytes)
    },
  })
  options.inFlight.watch(app)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...SECURITY_HEADERS, 'X-Request-Id': request.id })
  })
  // Fastify closes after a body that it refuses, and whoever is still sending meets the end of the connection in place of the
  // answer. Node reads the rest and forgets it, for as long as a request may take (RFC 9112 §9.6).
  app.addHook('onSend', async (_request, reply) => {
    if (options.isStopping()) reply.header('Connection', 'close')
    else if (reply.hasHeader('Connection')) reply.removeHeader('Connection')
  })
  refuseExpectations(app)
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const ms = Math.round(reply.elapsedTime)
    options.onResponse(request.method, route, reply.statusCode, reply.elapsedTime / 1000)
    const credential = credentialOf(request)
    // One failure too many: those are not logged singly.
    const isExcess = reply.statusCode === 429 && credential === undefined
    const level = route.startsWith(SCIM_PREFIX) && !isExcess ? 'info' : 'debug'
    request.log[level]({ method: request.method, route, status: reply.statusCode, ms, credential }, 'request')
  })
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'not found' }))
  app.setErrorHandler(async (error, request, reply) => {
    const answer = errorAnswer(error, options.scim.isUnavailable)
    if (answer.status >= 500) request.log.error({ err: error }, 'request failed')
    return reply.code(answer.status).headers(answer.headers).send({ error: answer.detail })
  })
  openApiRoute(app, { ...options.scim, version: options.version })
  probeRoutes(app, options.probes)
  const { metrics } = options
  if (metrics) metricsRoute(app, metrics)
  await app.register(async (scope) => oauthRoutes(scope, options.oauth))
  await app.register(async (scope) => scimRoutes(scope, options.scim), { prefix: SCIM_PREFIX })
  return app
}

/** One line a request, written by our own hook, which knows what must not be in it. */
const ownRequestLog = () => new LogController({ disableRequestLogging: true })

/** /metrics on a port of its own, with the probes, because a process with HTTP=off has no other port. */
export function createMetricsServer(
  log: FastifyBaseLogger,
  probes: ProbeOptions,
  metrics: () => Promise<{ contentType: string; text: string }>,
): FastifyInstance {
  const app = Fastify({ loggerInstance: log, logController: ownRequestLog(), ...SERVER_LIMITS })
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(SECURITY_HEADERS)
  })
  probeRoutes(app, probes)
  metricsRoute(app, metrics)
  return app
}

function metricsRoute(
  app: FastifyInstance,
  metrics: () => Promise<{ contentType: string; text: string }>,
): void {
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.header('Content-Type', contentType).send(text)
  })
}

/** A gateway's id is kept, so that its log and ours can be joined, as long as it cannot forge a log line. */
const acceptedRequestId = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && /^[\w.:=-]{1,128}$/.test(header) ? header : undefined
