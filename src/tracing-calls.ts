import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  defaultTextMapSetter,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Active } from './tracing-spans.ts'

/** undici's request, as its channels hand it on (undici, docs/api/DiagnosticsChannel.md). */
interface OutgoingRequest {
  readonly origin?: string | URL
  readonly method: string
  addHeader(name: string, value: string): void
}

const propagator = new W3CTraceContextPropagator()

/** A span for every call to another service in the course of a traced one, which is told of the trace. */
export function traceCalls(tracer: Tracer, active: Active): () => void {
  const spans = new WeakMap<OutgoingRequest, Span>()

  /** The path is left out: it holds an account's id, and its query an address. */
  function begin({ request }: { request: OutgoingRequest }): void {
    const parent = active.getStore()
    if (parent === undefined) return
    const { hostname, port, protocol } = new URL(String(request.origin))
    const attributes = {
      'http.request.method': request.method,
      'url.scheme': protocol.slice(0, -1),
      'server.address': hostname,
      'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    }
    const span = tracer.startSpan(request.method, { kind: SpanKind.CLIENT, attributes }, parent)
    const headers: Record<string, string> = {}
    propagator.inject(trace.setSpan(parent, span), headers, defaultTextMapSetter)
    for (const [name, value] of Object.entries(headers)) request.addHeader(name, value)
    spans.set(request, span)
  }

  function answered(message: { request: OutgoingRequest; response: { statusCode: number } }): void {
    const { statusCode } = message.response
    const span = spans.get(message.request)
    span?.setAttribute('http.response.status_code', statusCode)
    if (statusCode >= 400) {
      span?.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(statusCode))
    }
  }

  function end({ request }: { request: OutgoingRequest }): void {
    spans.get(request)?.end()
    spans.delete(request)
  }

  function failed({ request, error }: { request: OutgoingRequest; error: Error & { code?: unknown } }): void {
    const type = typeof error.code === 'string' ? error.code : error.name
    spans.get(request)?.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', type)
    end({ request })
  }

  const handlers = [
    ['undici:request:create', begin],
    ['undici:request:headers', answered],
    ['undici:request:trailers', end],
    ['undici:request:error', failed],
  ] as const
  const watches = handlers.map(
    ([channel, handle]) => [channel, (message: unknown) => handle(message as never)] as const,
  )
  for (const [channel, handle] of watches) subscribe(channel, handle)
  return () => {
    for (const [channel, handle] of watches) unsubscribe(channel, handle)
  }
}
