/** 'read' may change nothing. */
export type Access = 'read' | 'write'

/** Who sends a request. The tenant of everything it touches is this one, whatever the request says. */
export interface Principal {
  readonly tenantId: number
  /** Names the credential in logs and in the audit trail, for good: `SCIM_TOKEN`, `token:<id>`, `client:<id>`, `entra:<directory>`. */
  readonly credential: string
  readonly access: Access
}

export const AUTH_FAILURES = [
  'missing',
  'malformed',
  'unknown',
  'expired',
  'revoked',
  'disabled',
  // What can be wrong with a token that somebody else signed.
  'algorithm',
  'key_unknown',
  'signature',
  'not_yet_valid',
  'issuer',
  'subject',
  'audience',
  'caller',
  'token_type',
] as const

export type AuthFailure = (typeof AUTH_FAILURES)[number]

/** A failure names the credential only if the request has proved to have it. */
export type Authentication =
  | { readonly principal: Principal }
  | { readonly failure: AuthFailure; readonly credential?: string }

/**
 * One kind of bearer token. `authenticate` is asked only about tokens that are of this kind by their looks, and fails with
 * the store's error when the store cannot be asked: that is no wrong token.
 */
export interface CredentialKind {
  matches(token: string): boolean
  authenticate(token: string): Promise<Authentication>
}
