/**
 * unauthorized … unavailable  the contract's codes, answered with the contract's status and shape
 * timeout                     no whole answer within the time limit
 * network                     no connection, or it broke
 * malformed                   an answer that the contract does not know: HTML, cut JSON, another shape or status, a redirect
 */
export type CampaignManagerErrorCode =
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'user_exists'
  | 'precondition_failed'
  | 'role_unknown'
  | 'invalid'
  | 'rate_limited'
  | 'internal'
  | 'unavailable'
  | 'timeout'
  | 'network'
  | 'malformed'

export type CampaignManagerErrorDetails = {
  code: CampaignManagerErrorCode
  status?: number | undefined
  retryAfterMs?: number | undefined
  /** For a write that Campaign Manager may have carried out all the same; never for a read. */
  mayHaveApplied: boolean
  requestId?: string | undefined
  cause?: unknown
}

/** A call that failed. Its message holds no e-mail address and no token, so it may be logged and shown. */
export class CampaignManagerError extends Error {
  readonly code: CampaignManagerErrorCode
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly mayHaveApplied: boolean
  readonly requestId: string | undefined

  constructor(message: string, details: CampaignManagerErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'CampaignManagerError'
    this.code = details.code
    this.status = details.status
    this.retryAfterMs = details.retryAfterMs
    this.mayHaveApplied = details.mayHaveApplied
    this.requestId = details.requestId
  }
}

const READ_AT_MOST = 2000

/** Text that somebody else wrote, made fit for an error message: one line, short, without addresses or the secret. */
export function presentable(text: string, secret: string | undefined, longest = 200): string {
  // A word that the first cut runs through is dropped: half an address would not be recognised.
  const read = text.length > READ_AT_MOST ? text.slice(0, READ_AT_MOST).replace(/\S{0,400}$/, '') : text
  const masked = (secret === undefined || secret === '' ? read : read.replaceAll(secret, '[token]'))
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll(/[^\s@<>()[\]"',;:=]{1,320}(?:@|%40)[^\s@<>()[\]"',;]{1,320}/gi, '[e-mail]')
    .trim()
  return masked.length > longest ? `${masked.slice(0, longest - 1)}…` : masked
}

const DAY_SECONDS = 86_400

/** RFC 9110 §10.2.3: seconds or an HTTP-date. At most a day: a slip in a header must not stop the work for good. */
export function retryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text), DAY_SECONDS) * 1000
  if (!/^[A-Z][a-z]+, .+ GMT$/.test(text)) return undefined
  const wait = Date.parse(text) - now.getTime()
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), DAY_SECONDS * 1000)
}
