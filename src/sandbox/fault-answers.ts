import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, errorBody, statusOfCode } from './contract.ts'
import type { FaultKind, FaultRule } from './faults.ts'
import type { Answer } from './handling.ts'

const CARRIED_OUT: readonly FaultKind[] = [
  'applied_then_timeout',
  'truncated',
  'cut_off',
  'reset_after_headers',
  'slow_drip',
  'repeated',
  'partial',
  'stale',
]

/** Whether the request has an effect, or a read an answer from the accounts. */
export const isCarriedOut = (rule: FaultRule | undefined): boolean =>
  rule === undefined || CARRIED_OUT.includes(rule.kind)

/** What is answered in place of carrying the request out. */
export function answerFault(
  rule: FaultRule,
  now: Date,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (rule.kind === 'html') {
    const page =
      '<!DOCTYPE html>\n<html><head><title>Gateway</title></head><body><h1>Please sign in</h1></body></html>\n'
    return reply
      .code(rule.status ?? 200)
      .type('text/html; charset=utf-8')
      .send(page)
  }
  const code = codeOf(rule)
  const status = rule.kind === 'error' ? (rule.status ?? 500) : statusOfCode[code]
  const retryAfter = retryAfterOf(rule, now)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  return reply.code(status).send(errorBody(code, 'a fault that was asked for', request.id))
}

/** A request that stumbled on its way, and so was carried out in part. */
export function stumbled(rule: FaultRule, request: FastifyRequest): Answer {
  return {
    status: rule.status ?? 500,
    body: errorBody('internal', 'a fault that was asked for: only a part is done', request.id),
  }
}

function codeOf({ kind, status }: FaultRule): ErrorCode {
  if (kind === 'unauthorized' || kind === 'rate_limited' || kind === 'not_found') return kind
  if (status === 403) return 'forbidden'
  return status === 503 ? 'unavailable' : 'internal'
}

function retryAfterOf({ kind, retryAfter, retryAfterAs }: FaultRule, now: Date): string | undefined {
  const value = retryAfter ?? (kind === 'rate_limited' ? 1 : undefined)
  if (typeof value !== 'number' || retryAfterAs !== 'date') return value?.toString()
  return new Date(now.getTime() + value * 1000).toUTCString()
}

const headersOf = ({ status }: Answer, bytes: Buffer): [number, Record<string, string | number>] => [
  status === 204 ? 200 : status,
  { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length },
]

/** The connection ends in the middle of the answer. */
export function cutOff({ raw }: FastifyReply, answer: Answer): void {
  const bytes = Buffer.from(JSON.stringify(answer.body ?? {}))
  raw.writeHead(...headersOf(answer, bytes))
  raw.write(bytes.subarray(0, bytes.length / 2), () => raw.destroy())
}

export function resetAfterHeaders({ raw }: FastifyReply, answer: Answer): void {
  const { socket } = raw
  raw.writeHead(...headersOf(answer, Buffer.from(JSON.stringify(answer.body ?? {}))))
  raw.flushHeaders()
  // Once they are on their way, or the reset would overtake them.
  setImmediate(() => socket?.resetAndDestroy())
}

/** The answer comes byte by byte, as long as somebody waits for it. */
export async function drip(
  { raw }: FastifyReply,
  answer: Answer,
  durationMs: number,
  stopping: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(answer.body ?? {}))
  raw.on('error', () => {}) // Who waited has left, which is what this is for.
  raw.writeHead(...headersOf(answer, bytes))
  for (let at = 0; at < bytes.length && !raw.destroyed && !stopping.aborted; at += 1) {
    raw.write(bytes.subarray(at, at + 1))
    await pause(durationMs / bytes.length, stopping)
  }
  if (!raw.destroyed) raw.end()
}

export async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal: stopping })
  } catch (error) {
    // The only thing that ends the wait early is the sandbox's stop, which the caller asks about.
    if (!stopping.aborted) throw error
  }
}
