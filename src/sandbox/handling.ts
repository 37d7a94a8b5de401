import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorBody, Refusal, statusOfCode, type User } from './contract.ts'
import {
  answerFault,
  cutOff,
  drip,
  isCarriedOut,
  pause,
  resetAfterHeaders,
  stumbled,
} from './fault-answers.ts'
import type { FaultRule, Faults } from './faults.ts'
import type { RequestLog, RequestRecord, RouteName } from './request-log.ts'

/** `applied` says that this very request changed something (an answer given again did not). */
export type Answer = { status: number; body?: object; etag?: string; applied?: boolean; userId?: string }

export type Hooks = {
  /** Before a request is handled. */
  onRequest?: ((record: RequestRecord) => Promise<void>) | undefined
  /** After a write was applied, before it is answered. */
  onApplied?: ((record: RequestRecord) => Promise<void>) | undefined
}

export type HandlingParts = {
  log: RequestLog
  faults: Faults
  now: () => Date
  hooks: Hooks
  stopping: AbortSignal
  /** The address of the account with this id, for the log and for faults that name it. */
  emailOf: (id: string) => string | undefined
  /** New connections are refused for so long. */
  refuse: (ms: number) => void
}

/** How else a request may be carried out, when a fault wants it so. */
export type Otherwise = {
  stale?: (request: FastifyRequest, withinMs: number) => Answer
  partial?: (request: FastifyRequest) => Answer
}

export type Handling = {
  /** For an onRequest hook: the request's place in the log. */
  arrive(request: FastifyRequest): void
  /** For an onSend hook. */
  answered(request: FastifyRequest, status: number): void
  /** A route's handler; `compute` works without pause, so no request sees half of another. */
  route(
    name: RouteName,
    compute: (request: FastifyRequest) => Answer,
    otherwise?: Otherwise,
  ): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>
}

export function createHandling(parts: HandlingParts): Handling {
  const { log, faults, hooks, stopping } = parts
  const records = new WeakMap<FastifyRequest, RequestRecord>()
  const neverAnswer = (record: RequestRecord, reply: FastifyReply) => {
    log.end(record)
    return reply.hijack()
  }

  async function handle(
    record: RequestRecord,
    request: FastifyRequest,
    reply: FastifyReply,
    compute: (rule: FaultRule | undefined) => Answer,
  ): Promise<FastifyReply> {
    const names = describe(record, request, parts.emailOf)
    await hooks.onRequest?.(record)
    const { latencyMs, rule } = faults.pick({ method: record.method, route: record.route, names })
    if (latencyMs > 0) {
      record.faulted = 'latency'
      await pause(latencyMs, stopping)
      if (stopping.aborted) return neverAnswer(record, reply)
    }
    if (rule !== undefined) record.faulted = rule.kind
    if (rule !== undefined && !isCarriedOut(rule)) return refuseByFault(rule, record, request, reply)
    const answer = compute(rule)
    record.status = answer.status
    if (answer.userId !== undefined) record.userId = answer.userId
    if (answer.applied === true) await hooks.onApplied?.(record)
    return answerAs(rule, answer, record, reply)
  }

  function refuseByFault(
    rule: FaultRule,
    record: RequestRecord,
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply {
    if (rule.kind === 'refused') parts.refuse(rule.durationMs ?? 100)
    if (rule.kind === 'refused' || rule.kind === 'reset') request.raw.socket.resetAndDestroy()
    const isSilent = rule.kind === 'refused' || rule.kind === 'reset' || rule.kind === 'timeout'
    return isSilent ? neverAnswer(record, reply) : answerFault(rule, parts.now(), request, reply)
  }

  function answerAs(
    rule: FaultRule | undefined,
    answer: Answer,
    record: RequestRecord,
    reply: FastifyReply,
  ): FastifyReply {
    switch (rule?.kind) {
      case 'applied_then_timeout':
        delete record.status
        return neverAnswer(record, reply)
      case 'cut_off':
        neverAnswer(record, reply)
        cutOff(reply, answer)
        return reply
      case 'reset_after_headers':
        neverAnswer(record, reply)
        resetAfterHeaders(reply, answer)
        return reply
      case 'slow_drip':
        neverAnswer(record, reply)
        void drip(reply, answer, rule.durationMs ?? 30_000, stopping)
        return reply
      default:
        return send(reply, answer, rule?.kind === 'truncated')
    }
  }

  return {
    arrive: (request) => {
      records.set(request, log.start(request.method, request.url))
    },
    answered: (request, status) => {
      const record = records.get(request)
      if (record === undefined) return
      record.status = status
      log.end(record)
    },
    route: (name, compute, otherwise) => async (request, reply) => {
      const record = records.get(request)
      if (record === undefined) throw new Error('a request reached its handler without having arrived')
      record.route = name
      return handle(record, request, reply, (rule) => carryOut(rule, request, compute, otherwise))
    },
  }
}

function carryOut(
  rule: FaultRule | undefined,
  request: FastifyRequest,
  compute: (request: FastifyRequest) => Answer,
  { stale, partial }: Otherwise = {},
): Answer {
  if (rule?.kind === 'stale' && stale) {
    return answerOf(request, () => stale(request, rule.durationMs ?? 1000))
  }
  if (rule?.kind === 'partial' && partial) {
    const answer = answerOf(request, partial)
    return answer.applied && rule.status !== 200 ? { ...answer, ...stumbled(rule, request) } : answer
  }
  const first = answerOf(request, compute)
  if (rule?.kind !== 'repeated') return first
  const second = answerOf(request, compute)
  return { ...second, applied: first.applied === true || second.applied === true, ...userOf(first) }
}

const userOf = ({ userId }: Answer) => (userId === undefined ? {} : { userId })

export const answerOk = (body: object): Answer => ({ status: 200, body })

export function answerUser(status: number, { user, etag }: { user: User; etag: string }): Answer {
  return { status, body: user, etag }
}

/** A refusal is an answer too. */
export function answerOf(request: FastifyRequest, compute: (request: FastifyRequest) => Answer): Answer {
  try {
    return compute(request)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { status: statusOfCode[error.code], body: errorBody(error.code, error.message, request.id) }
  }
}

function send(reply: FastifyReply, answer: Answer, half: boolean): FastifyReply {
  reply.code(answer.status)
  if (answer.etag !== undefined) reply.header('etag', answer.etag)
  if (answer.body === undefined) return reply.send()
  const text = JSON.stringify(answer.body)
  reply.type('application/json; charset=utf-8')
  return reply.send(half ? text.slice(0, text.length / 2) : text)
}

/** Notes in the record whose account the request is about; gives every name of that account. */
function describe(
  record: RequestRecord,
  request: FastifyRequest,
  emailOf: (id: string) => string | undefined,
): string[] {
  const { id } = request.params as { id?: string }
  const body = request.body as { email?: unknown; roles?: unknown } | null | undefined
  const bodyEmail = body?.email
  const queryEmail = new URL(request.url, 'http://sandbox').searchParams.get('email') ?? undefined
  const knownEmail = id === undefined ? undefined : emailOf(id)
  const email = knownEmail ?? (typeof bodyEmail === 'string' ? bodyEmail : queryEmail)
  const key = request.headers['idempotency-key']
  if (email !== undefined) record.email = email
  if (id !== undefined) record.userId = id
  if (typeof key === 'string') record.idempotencyKey = key
  if (Array.isArray(body?.roles)) record.roles = body.roles
  const names = [id, email, typeof bodyEmail === 'string' ? bodyEmail : undefined]
  return names.filter((name) => name !== undefined)
}
