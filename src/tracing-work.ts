import {
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { type QueryEvent, queryChannel } from './db/query-channel.ts'
import {
  type AttemptEvent,
  attemptChannel,
  type MarkedEvent,
  markedChannel,
} from './reconcile/watch-channels.ts'
import type { Active } from './tracing-spans.ts'

/** Users whose marking is remembered, and how many markings of one: those before fall out. */
const REMEMBERED_USERS = 10_000
const REMEMBERED_MARKINGS = 8

const ignore = () => {}

/**
 * A trace of its own for every attempt at a user, since one may answer several requests, with a link to each request that made it
 * necessary and came to this process.
 */
export function traceAttempts(tracer: Tracer, active: Active): () => void {
  const causes = new Map<string, readonly SpanContext[]>()
  const taken = new WeakMap<AttemptEvent, { span: Span; causes: readonly SpanContext[] }>()
  const key = ({ tenantId, userId }: { tenantId: number; userId: string }) => `${tenantId}/${userId}`

  function marked(message: unknown): void {
    const cause = trace.getSpanContext(active.getStore() ?? ROOT_CONTEXT)
    if (cause === undefined) return
    const { tenantId, userIds } = message as MarkedEvent
    for (const userId of userIds.slice(0, REMEMBERED_USERS)) {
      const user = key({ tenantId, userId })
      causes.set(user, [...(causes.get(user) ?? []), cause].slice(-REMEMBERED_MARKINGS))
    }
    for (const user of causes.keys()) {
      if (causes.size <= REMEMBERED_USERS) break
      causes.delete(user)
    }
  }

  function begin(event: AttemptEvent) {
    const known = causes.get(key(event)) ?? []
    const links: Link[] = known.map((context) => ({ context }))
    const attributes = {
      'campaign_manager_scim.tenant_id': event.tenantId,
      'campaign_manager_scim.attempts': event.attempts,
    }
    const span = tracer.startSpan('reconcile', { kind: SpanKind.CONSUMER, links, attributes }, ROOT_CONTEXT)
    taken.set(event, { span, causes: known })
    return trace.setSpan(ROOT_CONTEXT, span)
  }

  function end(event: AttemptEvent): void {
    const { span, causes: known } = taken.get(event) ?? {}
    span?.setAttribute('campaign_manager_scim.outcome', event.outcome ?? 'error')
    if (event.isDone !== true) span?.setStatus({ code: SpanStatusCode.ERROR })
    span?.end()
    // Marked anew meanwhile, it has more causes than those.
    if (event.isDone === true && causes.get(key(event)) === known) causes.delete(key(event))
  }

  const watch = { start: ignore, end: ignore, asyncStart: ignore, asyncEnd: end, error: ignore }
  markedChannel.subscribe(marked)
  attemptChannel.start.bindStore(active, begin)
  attemptChannel.subscribe(watch)
  return () => {
    markedChannel.unsubscribe(marked)
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
