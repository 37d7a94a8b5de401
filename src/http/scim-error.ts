import type { FastifyError } from 'fastify'
import { errorBody, ScimError, type ScimType } from '../scim/error.ts'

/** An error as the client gets it. */
export interface ErrorAnswer {
  readonly status: number
  readonly scimType: ScimType | undefined
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
}

/** A request that no credential of ours came with. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError'
  /** RFC 6750 §3: only to a client that has sent a token it is said that the token is the fault. */
  readonly challenge: string

  constructor(message: string, { tokenSent = false } = {}) {
    super(message)
    this.challenge = tokenSent ? 'Bearer realm="scim", error="invalid_token"' : 'Bearer realm="scim"'
  }
}

/** The same, after so many of them from one address that this one is not looked into any more. */
export class TooManyFailures extends Error {
  override readonly name = 'TooManyFailures'
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number) {
    super('too many requests without a valid credential; try again after the time of Retry-After')
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** How soon to come back when the store is away: long enough to spare it, short enough to go unnoticed. */
export const RETRY_AFTER_SECONDS = 5

/** What the framework refuses by itself, and how SCIM says it (RFC 7644 §3.12). */
const frameworkErrors: Readonly<Record<string, { status: number; scimType?: ScimType; detail: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, detail: 'send application/scim+json or application/json' },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, detail: 'the body is larger than this server accepts' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, scimType: 'invalidSyntax', detail: 'the body is empty' },
  FST_ERR_CTP_INVALID_JSON_BODY: {
    status: 400,
    scimType: 'invalidSyntax',
    detail: 'the body is not valid JSON',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    scimType: 'invalidSyntax',
    detail: 'the body is not as long as Content-Length says',
  },
  FST_ERR_BAD_URL: { status: 400, detail: 'the URL is not properly percent-encoded UTF-8' },
  FST_ERR_MAX_PARAM_LENGTH: { status: 404, detail: 'no resource has an id this long' },
}

/**
 * The one place that decides how an error looks to a SCIM client.
 *
 * @param isUnavailable whether the error says that the store cannot serve: that must never look like "not found", or
 *   Entra would create everybody again
 */
export function errorAnswer(error: unknown, isUnavailable: (error: unknown) => boolean): ErrorAnswer {
  if (error instanceof ScimError) return answer(error.status, error.message, error.scimType)
  if (error instanceof AuthenticationError) {
    return answer(401, error.message, undefined, { 'WWW-Authenticate': error.challenge })
  }
  if (error instanceof TooManyFailures) {
    return answer(429, error.message, undefined, { 'Retry-After': String(error.retryAfterSeconds) })
  }
  const { code, statusCode, message } = error as Partial<FastifyError>
  // Of the sender's connection, as the status that the framework gives it tells; Postgres's own ends with the same code.
  if (code === 'ECONNRESET' && statusCode === 400) return answer(400, 'the request ended before its body did')
  if (isUnavailable(error)) {
    return answer(503, 'the directory is unavailable at the moment; try again', undefined, {
      'Retry-After': String(RETRY_AFTER_SECONDS),
    })
  }
  const known = code === undefined ? undefined : frameworkErrors[code]
  if (known) return answer(known.status, known.detail, known.scimType)
  // The JSON parser's refusals: malformed text, and keys that would reach an object's prototype.
  if (error instanceof SyntaxError && statusCode === 400)
    return answer(400, `invalid JSON: ${message}`, 'invalidSyntax')
  // Of other errors nobody knows whether their text is for clients.
  if (code?.startsWith('FST_') && statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return answer(statusCode, String(message))
  }
  return answer(500, 'internal error')
}

const answer = (
  status: number,
  detail: string,
  scimType?: ScimType,
  headers: Readonly<Record<string, string>> = {},
): ErrorAnswer => ({ status, scimType, detail, headers })

/** The request's id is part of the text, because the text is what Entra's provisioning log shows. */
export const scimErrorBody = ({ status, scimType, detail }: ErrorAnswer, requestId: string) =>
  errorBody({ status, scimType, detail: `${detail} [request ${requestId}]` })
