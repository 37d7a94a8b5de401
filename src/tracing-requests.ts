import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Active } from './tracing-spans.ts'

/** Asked for every few seconds, and of no interest. */
const UNTRACED = new Set(['/healthz', '/readyz', '/metrics'])

const propagator = new W3CTraceContextPropagator()

/**
 * A span for every request to a server that is made from now on. The route's pattern stands for the URL, whose path may hold an
 * address and whose query does; of the headers only the trace's own are read.
 */
export function traceRequests(tracer: Tracer, active: Active): () => void {
  const onServer = (message: unknown) =>
    addHooks((message as { fastify: FastifyInstance }).fastify, tracer, active)
  subscribe('fastify.initialization', onServer)
  return () => void unsubscribe('fastify.initialization', onServer)
}

function addHooks(app: FastifyInstance, tracer: Tracer, active: Active): void {
  const contexts = new WeakMap<FastifyRequest, Context>()

  app.addHook('onRequest', (request, _reply, done) => {
    const route = request.routeOptions.url
    if (route !== undefined && UNTRACED.has(route)) return done()
    const parent = propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter)
    const span = tracer.startSpan(
      route === undefined ? request.method : `${request.method} ${route}`,
      { kind: SpanKind.SERVER, attributes: attributesOf(request, route) },
      parent,
    )
    const context = trace.setSpan(parent, span)
    contexts.set(request, context)
    active.run(context, done)
  })
  // The body was read in the course of the connection, not of the request.
  app.addHook('preValidation', (request, _reply, done) => {
    const context = contexts.get(request)
    if (context === undefined) return done()
    active.run(context, done)
  })
  app.addHook('onResponse', async (request, reply) => {
    endSpan(spanOf(contexts, request), reply)
  })
  app.addHook('onRequestAbort', async (request) => {
    const span = spanOf(contexts, request)
    span?.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', 'aborted').end()
  })
}

const spanOf = (contexts: WeakMap<FastifyRequest, Context>, request: FastifyRequest): Span | undefined => {
  const context = contexts.get(request)
  contexts.delete(request)
  return context && trace.getSpan(context)
}

const attributesOf = (request: FastifyRequest, route: string | undefined) => ({
  'http.request.method': request.method,
  'url.scheme': request.protocol,
  // As in the log, in the answer and in Entra's provisioning log.
  'campaign_manager_scim.request_id': request.id,
  ...(route !== undefined && { 'http.route': route }),
})

function endSpan(span: Span | undefined, reply: FastifyReply): void {
  const { statusCode } = reply
  span?.setAttribute('http.response.status_code', statusCode)
  if (statusCode >= 500) {
    span?.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(statusCode))
  }
  span?.end()
}
