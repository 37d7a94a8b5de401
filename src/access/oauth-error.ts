import type { JwtFailure } from './jwks-signed.ts'

/** RFC 6749 §5.2. */
export type OauthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'

/** Why a client was not believed. It is not told, so that nobody can feel their way; the metric and the log are. */
export type ClientFailure =
  | JwtFailure
  | 'missing'
  | 'unknown'
  | 'revoked'
  | 'disabled'
  | 'issuer'
  | 'subject'
  | 'audience'
  | 'long_lived'

/** What the token endpoint refuses. The message is for the client, and quotes nothing of what it sent. */
export class OauthError extends Error {
  override readonly name = 'OauthError'
  readonly code: OauthErrorCode
  readonly failure: ClientFailure | undefined

  constructor(code: OauthErrorCode, message: string, failure?: ClientFailure) {
    super(message)
    this.code = code
    this.failure = failure
  }
}

export const invalidRequest = (message: string): OauthError => new OauthError('invalid_request', message)

export const invalidClient = (failure: ClientFailure): OauthError =>
  new OauthError('invalid_client', 'the client could not be authenticated', failure)
