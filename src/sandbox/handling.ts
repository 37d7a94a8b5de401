import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorBody, Refusal, statusOfCode, type User } from './contract.ts'
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
  hooks: Hooks
  stopping: AbortSignal
  /** The address of the account with this id, for the log and for faults that name it. */
  emailOf: (id: string) => string | undefined
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
    compute: () => Answer,
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
    if (rule?.kind === 'timeout') return neverAnswer(record, reply)
    if (rule?.kind === 'reset') {
      request.raw.socket.resetAndDestroy()
      return neverAnswer(record, reply)
    }
    if (rule !== undefined && !appliesFirst(rule)) return answerFault(rule, request, reply)
    const answer = compute()
    record.status = answer.status
    if (answer.userId !== undefined) record.userId = answer.userId
    if (answer.applied === true) await hooks.onApplied?.(record)
    if (rule?.kind === 'applied_then_timeout') {
      delete record.status
      return neverAnswer(record, reply)
    }
    if (rule?.kind === 'cut_off') {
      neverAnswer(record, reply)
      return cutOff(reply, answer)
    }
    return send(reply, answer, rule?.kind === 'truncated')
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
    route: (name, compute) => async (request, reply) => {
      const record = records.get(request)
      if (record === undefined) throw new Error('a request reached its handler without having arrived')
      record.route = name
      return handle(record, request, reply, () => answerOf(request, compute))
    },
  }
}

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

function appliesFirst({ kind }: FaultRule): boolean {
  return kind === 'applied_then_timeout' || kind === 'truncated' || kind === 'cut_off'
}

function answerFault(rule: FaultRule, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (rule.kind === 'html') {
    const page =
      '<!DOCTYPE html>\n<html><head><title>Gateway</title></head><body><h1>Please sign in</h1></body></html>\n'
    return reply
      .code(rule.status ?? 200)
      .type('text/html; charset=utf-8')
      .send(page)
  }
  const code = rule.kind === 'unauthorized' || rule.kind === 'rate_limited' ? rule.kind : codeOf(rule.status)
  const status = rule.kind === 'error' ? (rule.status ?? 500) : statusOfCode[code]
  const retryAfter = rule.retryAfter ?? (rule.kind === 'rate_limited' ? 1 : undefined)
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply.code(status).send(errorBody(code, 'a fault that was asked for', request.id))
}

function codeOf(status: number | undefined): 'internal' | 'unavailable' | 'forbidden' {
  if (status === 403) return 'forbidden'
  return status === 503 ? 'unavailable' : 'internal'
}

function send(reply: FastifyReply, answer: Answer, half: boolean): FastifyReply {
  reply.code(answer.status)
  if (answer.etag !== undefined) reply.header('etag', answer.etag)
  if (answer.body === undefined) return reply.send()
  const text = JSON.stringify(answer.body)
  reply.type('application/json; charset=utf-8')
  return reply.send(half ? text.slice(0, text.length / 2) : text)
}

function cutOff(reply: FastifyReply, answer: Answer): FastifyReply {
  const bytes = Buffer.from(JSON.stringify(answer.body ?? {}))
  reply.raw.writeHead(answer.status === 204 ? 200 : answer.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
  })
  reply.raw.write(bytes.subarray(0, bytes.length / 2), () => reply.raw.destroy())
  return reply
}

/** Notes in the record whose account the request is about; gives every name of that account. */
function describe(
  record: RequestRecord,
  request: FastifyRequest,
  emailOf: (id: string) => string | undefined,
): string[] {
  const { id } = request.params as { id?: string }
  const bodyEmail = (request.body as { email?: unknown } | null | undefined)?.email
  const queryEmail = new URL(request.url, 'http://sandbox').searchParams.get('email') ?? undefined
  const knownEmail = id === undefined ? undefined : emailOf(id)
  const email = knownEmail ?? (typeof bodyEmail === 'string' ? bodyEmail : queryEmail)
  const key = request.headers['idempotency-key']
  if (email !== undefined) record.email = email
  if (id !== undefined) record.userId = id
  if (typeof key === 'string') record.idempotencyKey = key
  const names = [id, email, typeof bodyEmail === 'string' ? bodyEmail : undefined]
  return names.filter((name) => name !== undefined)
}

async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal: stopping })
  } catch (error) {
    // The only thing that ends the wait early is the sandbox's stop, which the caller asks about.
    if (!stopping.aborted) throw error
  }
}
