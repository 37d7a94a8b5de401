import type { EntraIssuer } from './entra-issuers.ts'
import type { Jwt } from './jwks-signed.ts'

export type EntraFailure = 'issuer' | 'audience' | 'caller' | 'token_type'

/**
 * Claims of tokens that stand for a person, or tell a client who signed in (RFC 8725 §3.12). An application's own access
 * token has none of them.
 */
const PERSONAL = ['scp', 'nonce', 'at_hash', 'c_hash', 'upn', 'unique_name', 'preferred_username']
/** Old libraries wrote it so; RFC 9068 §2.1 has a name of its own for access tokens. */
const TYPES: readonly unknown[] = [undefined, 'JWT', 'at+jwt']

/** What a token of Entra's must say beside who signed it and for how long. */
export function checkEntraClaims(
  { header, claims }: Jwt,
  { appId }: Pick<EntraIssuer, 'appId'>,
): EntraFailure | undefined {
  if (!TYPES.includes(header.typ) || PERSONAL.some((claim) => claims[claim] !== undefined)) {
    return 'token_type'
  }
  if (claims.idtyp !== undefined && claims.idtyp !== 'app') return 'token_type'
  // `appid` in tokens of version 1, `azp` in those of version 2.
  const callers = [claims.appid, claims.azp].filter((caller) => caller !== undefined)
  if (callers.length === 0 || callers.some((caller) => caller !== appId)) return 'caller'
  return undefined
}
