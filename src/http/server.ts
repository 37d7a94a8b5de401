import { randomUUID } from 'node:crypto'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify'
import { SCIM_MEDIA_TYPE } from './json-bodies.ts'
import { SCIM_PREFIX } from './present.ts'
import { type ProbeOptions, probeRoutes } from './routes/probes.ts'
import { type ScimRoutesOptions, scimRoutes } from './routes/scim.ts'
import { errorAnswer, scimErrorBody } from './scim-error.ts'

export interface HttpServerOptions {
  readonly log: FastifyBaseLogger
  /** Addresses or CIDRs whose X-Forwarded-* headers are believed. */
  readonly trustProxy: readonly string[]
  readonly probes: ProbeOptions
  readonly scim: ScimRoutesOptions
  /** The text of /metrics; undefined when it is served on a port of its own. */
  readonly metrics: (() => Promise<{ contentType: string; text: string }>) | undefined
  /** @param route the route's pattern, never the URL */
  readonly onResponse: (method: string, route: string, status: number, seconds: number) => void
}

/** A PUT of a group with 50,000 members is about 4 MiB. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024
/** Entra gives up after 60 s (learn.microsoft.com/answers/questions/1151866). */
const REQUEST_TIMEOUT_MS = 60_000

export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.log,
    logController: ownRequestLog(),
    trustProxy: options.trustProxy.length > 0 ? [...options.trustProxy] : false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS + 5000,
    genReqId: (request) => acceptedRequestId(request.headers['x-request-id']) ?? randomUUID(),
    // Any id that is not ours is "not found", however long it is.
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 16_384 },
    frameworkErrors: (error, request, reply) => {
      const answer = errorAnswer(error, () => false)
      // The types know no route here, and so no status.
      const anyReply: FastifyReply = reply as unknown as FastifyReply
      // Bytes, because a text would get a charset appended to its media type.
      const bytes = Buffer.from(JSON.stringify(scimErrorBody(answer, request.id)))
      anyReply.code(answer.status).header('Content-Type', SCIM_MEDIA_TYPE).send(bytes)
    },
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-Id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const ms = Math.round(reply.elapsedTime)
    options.onResponse(request.method, route, reply.statusCode, reply.elapsedTime / 1000)
    const level = route.startsWith(SCIM_PREFIX) ? 'info' : 'debug'
    request.log[level]({ method: request.method, route, status: reply.statusCode, ms }, 'request')
  })
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'not found' }))
  app.setErrorHandler(async (error, request, reply) => {
    const answer = errorAnswer(error, options.scim.isUnavailable)
    if (answer.status >= 500) request.log.error({ err: error }, 'request failed')
    return reply.code(answer.status).headers(answer.headers).send({ error: answer.detail })
  })
  probeRoutes(app, options.probes)
  const { metrics } = options
  if (metrics) metricsRoute(app, metrics)
  await app.register(async (scope) => scimRoutes(scope, options.scim), { prefix: SCIM_PREFIX })
  return app
}

/** One line a request, written by our own hook, which knows what must not be in it. */
const ownRequestLog = () => new LogController({ disableRequestLogging: true })

/** /metrics alone, for a port of its own. */
export function createMetricsServer(
  log: FastifyBaseLogger,
  metrics: () => Promise<{ contentType: string; text: string }>,
): FastifyInstance {
  const app = Fastify({ loggerInstance: log, logController: ownRequestLog() })
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
