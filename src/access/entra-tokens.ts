import type { Kysely } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/tables.ts'
import { checkEntraClaims, type EntraFailure } from './entra-claims.ts'
import { type EntraIssuer, entraIssuersOf, isGuid } from './entra-issuers.ts'
import type { FindEntraKeys } from './entra-keys.ts'
import { checkTimes, type JwtFailure, readJwt, verify } from './jwks-signed.ts'
import type { CredentialKind } from './principal.ts'

export interface EntraTokenParts {
  readonly db: Kysely<Database>
  readonly findKeys: FindEntraKeys
  readonly now: Clock['now']
}

/** Three parts, or the five of an encrypted one, which is refused with the right reason. */
const JWT = /^eyJ[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){2,4}$/

/** Tokens that Entra issues by itself, for tenants that accept such. */
export const entraTokens = (parts: EntraTokenParts): CredentialKind => ({
  matches: (token) => JWT.test(token),
  async authenticate(token) {
    const result = await check(parts, token)
    if (typeof result === 'string') return { failure: result }
    const credential = `entra:${result.entraTenantId}`
    return { principal: { tenantId: result.tenantId, credential, access: 'write' } }
  },
})

/**
 * The directory that a token names decides whose keys must have signed it, and those keys then whether it is that
 * directory's.
 */
async function check(
  { db, findKeys, now }: EntraTokenParts,
  token: string,
): Promise<(EntraIssuer & { tenantId: number }) | JwtFailure | EntraFailure> {
  const jwt = readJwt(token)
  if (!jwt) return 'malformed'
  if (!ALGORITHMS.includes(jwt.header.alg)) return 'algorithm'
  const { tid, iss, aud } = jwt.claims
  if (typeof tid !== 'string' || !isGuid(tid) || typeof iss !== 'string') return 'issuer'
  const issuers = await entraIssuersOf(db, tid)
  if (issuers.length === 0) return 'issuer'
  // Compared with what is text: a list of audiences is none of them.
  const issuer = issuers.find(({ audience }) => audience === aud)
  if (!issuer) return 'audience'
  const keys = await findKeys(tid, iss)
  if (!keys) return 'issuer'
  const unsigned = await verify(jwt, ALGORITHMS, keys)
  if (unsigned) return unsigned
  if (jwt.claims.nbf === undefined) return 'malformed'
  return checkTimes(jwt, now()) ?? checkEntraClaims(jwt, issuer) ?? issuer
}

const ALGORITHMS: readonly string[] = ['RS256']
