import { AssertionError } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { errors, Pool } from 'undici'
import { openSocket, parseAnswers } from '../security/setup.ts'
import { type BrokenRequest, type FuzzRequest, isBroken, wireOf } from './fuzz-draft.ts'

export interface FuzzAnswer {
  readonly status: number
  readonly body: string
  /** By which the log knows the request. */
  readonly requestId: string | undefined
}

/** What came back; more than one answer, or none, only to what is no single request. */
export interface Reply {
  readonly answers: readonly FuzzAnswer[]
  /** Why there is no answer, in words. */
  readonly lost: string | undefined
}

export interface FuzzSender {
  send(request: FuzzRequest | BrokenRequest): Promise<Reply>
  /** Connections opened for one request. */
  readonly bySocket: number
}

/** Longer than any request may take; who waits for it in vain says so. */
const PATIENCE_MS = 60_000
/** What is broken may look like the beginning of something: it is ended, which the service takes as its end. */
const BROKEN_PATIENCE_MS = 1000

/** Sends by a client with kept connections, and by a socket what that client refuses to send. */
export function createFuzzSender(t: Test, url: string, connections: number): FuzzSender {
  const pool = new Pool(url, { connections, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS })
  t.teardown(() => pool.destroy())
  let bySocket = 0

  async function byPool({ method, target, headers, body }: FuzzRequest): Promise<Reply> {
    const response = await pool.request({
      method,
      path: target,
      headers: headers.flat(),
      body: body ?? null,
    })
    const requestId = String(response.headers['x-request-id'])
    const answer = { status: response.statusCode, body: await response.body.text(), requestId }
    return { answers: [answer], lost: undefined }
  }

  async function alone(request: FuzzRequest | BrokenRequest): Promise<Reply> {
    bySocket += 1
    const bytes = isBroken(request) ? request.bytes : wireOf(request)
    const received = await exchange(url, bytes, isBroken(request) ? request.isCut : undefined)
    try {
      const answers = parseAnswers(received)
        .filter(({ status }) => status >= 200)
        .map(({ status, body, headers }) => ({ status, body, requestId: headers['x-request-id'] }))
      return { answers, lost: answers.length === 0 ? 'the connection ended without an answer' : undefined }
    } catch (error) {
      return { answers: [], lost: String(error) }
    }
  }

  return {
    async send(request) {
      if (isBroken(request) || request.method === 'CONNECT') return alone(request)
      try {
        return await byPool(request)
      } catch (error) {
        return isRefusal(error) ? alone(request) : { answers: [], lost: String(error) }
      }
    },
    get bySocket() {
      return bySocket
    },
  }
}

/** The client would not send it: by its checks, or by an assertion where it relies on them. */
const isRefusal = (error: unknown): boolean =>
  error instanceof AssertionError ||
  error instanceof errors.InvalidArgumentError ||
  error instanceof errors.NotSupportedError ||
  error instanceof errors.RequestContentLengthMismatchError

/** @param isCut for bytes that are no request: whether they end before the request does */
async function exchange(url: string, bytes: Buffer, isCut: boolean | undefined): Promise<Buffer> {
  const socket = openSocket(url)
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const over = new AbortController()
  const after = (ms: number, act: () => void) =>
    pause(ms, undefined, { signal: over.signal }).then(act, () => {})
  if (isCut) socket.end(bytes)
  else socket.write(bytes)
  if (isCut === false) void after(BROKEN_PATIENCE_MS, () => socket.end())
  void after(PATIENCE_MS, () => socket.destroy())
  await closed
  over.abort()
  return Buffer.concat(received)
}
