import {
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { parseTraceParent, W3CTraceContextPropagator } from '@opentelemetry/core'
import { type QueryEvent, queryChannel } from './db/query-channel.ts'
import { type AttemptEvent, attemptChannel, type MarkEvent, markChannel } from './reconcile/watch-channels.ts'
import type { Active } from './tracing-spans.ts'

const propagator = new W3CTraceContextPropagator()

/** The tracestate that may come with it is left out: it can be long, and a link does without. */
const traceparentSetter: TextMapSetter<MarkEvent> = {
  set(event, name, value) {
    if (name === 'traceparent') event.traceparent = value
  },
}

const ignore = () => {}

/**
 * A trace of its own for every attempt at a user, since one may answer several requests, with a link to each request that made it
 * necessary. These are kept with the user, since another process may have answered them.
 */
export function traceAttempts(tracer: Tracer, active: Active): () => void {
  const spans = new WeakMap<AttemptEvent, Span>()

  function mark(message: unknown): void {
    const context = active.getStore() ?? ROOT_CONTEXT
    // A link to what was not recorded leads nowhere.
    if ((trace.getSpanContext(context)?.traceFlags ?? 0) & TraceFlags.SAMPLED) {
      propagator.inject(context, message as MarkEvent, traceparentSetter)
    }
  }

  function begin(event: AttemptEvent) {
    const attributes = {
      'campaign_manager_scim.tenant_id': event.tenantId,
      'campaign_manager_scim.attempts': event.attempts,
    }
    const links = [...new Set(event.traceparents)].flatMap((each): Link[] => {
      const context = parseTraceParent(each)
      return context === null ? [] : [{ context }]
    })
    const span = tracer.startSpan('reconcile', { kind: SpanKind.CONSUMER, links, attributes }, ROOT_CONTEXT)
    spans.set(event, span)
    return trace.setSpan(ROOT_CONTEXT, span)
  }

  function end(event: AttemptEvent): void {
    const span = spans.get(event)
    span?.setAttribute('campaign_manager_scim.outcome', event.outcome ?? 'error')
    if (event.isDone !== true) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
  }

  const watch = { start: ignore, end: ignore, asyncStart: ignore, asyncEnd: end, error: ignore }
  markChannel.subscribe(mark)
  attemptChannel.start.bindStore(active, begin)
  attemptChannel.subscribe(watch)
  return () => {
    markChannel.unsubscribe(mark)
    attemptChannel.start.unbindStore(active)
    attemptChannel.unsubscribe(watch)
  }
}

/** A span for every query in the course of a traced request or attempt. */
export function traceQueries(tracer: Tracer, active: Active): () => void {
  const spans = new WeakMap<QueryEvent, Span>()
  const watch = {
    start(event: QueryEvent) {
      const parent = active.getStore()
      if (parent === undefined) return
      const summary = event.table === undefined ? event.operation : `${event.operation} ${event.table}`
      const attributes = {
        'db.system.name': 'postgresql',
        'db.operation.name': event.operation,
        'db.query.summary': summary,
      }
      spans.set(event, tracer.startSpan(summary, { kind: SpanKind.CLIENT, attributes }, parent))
    },
    error(event: QueryEvent & { error: unknown }) {
      const { code, name = 'Error' } = event.error as { code?: unknown; name?: string }
      const type = typeof code === 'string' ? code : name
      spans.get(event)?.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', type)
    },
    asyncEnd: (event: QueryEvent) => spans.get(event)?.end(),
    end: ignore,
    asyncStart: ignore,
  }
  queryChannel.subscribe(watch)
  return () => void queryChannel.unsubscribe(watch)
}
