import { errors, Pool } from 'undici'
import type { Answer, CallContext } from './answer.ts'
import { CampaignManagerError, type CampaignManagerErrorCode } from './errors.ts'

export type Call = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the base URL, encoded, with a leading slash. */
  path: string
  headers?: Record<string, string>
  body?: string
}

export type Transport = {
  /** The whole answer, whatever its status. */
  send(call: Call, context: CallContext): Promise<Answer>
  close(): Promise<void>
}

export type TransportOptions = { baseUrl: string; token?: string | undefined; timeoutMs: number }

const LARGEST_ANSWER = 16 * 1024 * 1024

export function createTransport({ baseUrl, token, timeoutMs }: TransportOptions): Transport {
  const base = new URL(baseUrl)
  const prefix = base.pathname.replace(/\/+$/, '')
  // A Pool alone follows no redirect and repeats no request; both would be interceptors.
  const pool = new Pool(base.origin, {
    connections: null,
    pipelining: 1,
    allowH2: false,
    maxResponseSize: LARGEST_ANSWER,
    connect: { timeout: timeoutMs },
    // The one limit below covers the call from its start to the last byte of its answer.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const standing = {
    accept: 'application/json',
    'user-agent': 'campaign-manager-scim',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }

  let closing: Promise<void> | undefined

  async function send(call: Call, context: CallContext): Promise<Answer> {
    if (closing !== undefined) throw failed(closedFault, context)
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const response = await pool.request({
        method: call.method,
        path: prefix + call.path,
        headers: {
          ...standing,
          ...(call.body !== undefined && { 'content-type': 'application/json' }),
          ...call.headers,
        },
        body: call.body ?? null,
        signal,
      })
      const bytes = await response.body.bytes()
      return { status: response.statusCode, header: (name) => first(response.headers[name]), bytes }
    } catch (error) {
      throw failed(faultOf(error, signal.aborted), context, error)
    }
  }

  return {
    send,
    // undici refuses to be closed twice; whoever shuts down need not know who did before.
    close: () => {
      closing ??= pool.destroy()
      return closing
    },
  }
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

type Fault = { code: CampaignManagerErrorCode; reason: string; sent: boolean }

const closedFault: Fault = { code: 'network', reason: 'the client is closed', sent: false }

/** undici's codes that say more than "the connection broke". */
const undiciFaults: Readonly<Record<string, Fault>> = {
  UND_ERR_CONNECT_TIMEOUT: { code: 'timeout', reason: 'no connection within the time limit', sent: false },
  UND_ERR_INVALID_ARG: { code: 'invalid', reason: 'the request cannot be written as HTTP', sent: false },
  UND_ERR_RES_EXCEEDED_MAX_SIZE: { code: 'malformed', reason: 'an answer of more than 16 MiB', sent: true },
  UND_ERR_HEADERS_OVERFLOW: { code: 'malformed', reason: 'an answer with too many headers', sent: true },
}

function failed({ code, reason, sent }: Fault, context: CallContext, cause?: unknown): CampaignManagerError {
  return new CampaignManagerError(`Campaign Manager did not answer ${context.operation}: ${reason}`, {
    code,
    mayHaveApplied: context.writes && sent,
    // undici's parser error carries the bytes it read, which may hold an address or a name.
    ...(code !== 'malformed' && { cause }),
  })
}

function faultOf(error: unknown, outOfTime: boolean): Fault {
  const name = codeOf(error)
  const known = undiciFaults[name]
  if (known !== undefined) return known
  if (outOfTime) return { code: 'timeout', reason: 'no whole answer within the time limit', sent: true }
  if (error instanceof errors.HTTPParserError) {
    return { code: 'malformed', reason: 'an answer that is not HTTP', sent: true }
  }
  const sent = !failedToConnect(error)
  const reason = sent ? `the connection broke (${name})` : `no connection (${name})`
  return { code: 'network', reason, sent }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'no code'
}

/** Node names the system call that failed; a request whose connection never stood cannot have been carried out. */
function failedToConnect(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(failedToConnect)
  const syscall = (error as { syscall?: unknown } | null)?.syscall
  return syscall === 'connect' || syscall === 'getaddrinfo'
}
