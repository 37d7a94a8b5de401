import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'
import type { Authentication, CredentialKind, Principal } from './principal.ts'
import { staticTokens } from './static-tokens.ts'
import { findTenant, isTenantServed } from './tenants.ts'
import { sameHash, sha256 } from './token.ts'

export interface AuthenticatorOptions {
  readonly db: Kysely<Database>
  /** The token of the setting SCIM_TOKEN, which belongs to the tenant `default`. */
  readonly scimToken: string | undefined
  /** Called for every request with a stored token that is right. */
  readonly onTokenUse?: (tenantId: number, tokenId: string) => void
  /** What is accepted beside SCIM_TOKEN and stored tokens. */
  readonly kinds?: readonly CredentialKind[]
}

export type Authenticate = (token: string) => Promise<Authentication>

const DEFAULT_TENANT = 'default'
/** What a client sends whose own setting is missing. It is never a token, whatever is or is not configured here. */
const NO_TOKEN: ReadonlySet<string> = new Set(['', 'undefined', 'null'])

/** Tells whose token it is. Fails with the store's error when the store cannot be asked: that is no wrong token. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const { db, scimToken, onTokenUse = () => {}, kinds = [] } = options
  // In this order; the first kind that a token is of decides.
  const inOrder: readonly CredentialKind[] = [
    ...(scimToken === undefined ? [] : [configuredToken(db, scimToken)]),
    staticTokens(db, onTokenUse),
    ...kinds,
  ]
  return async (token) => {
    if (NO_TOKEN.has(token.trim().toLowerCase())) return { failure: 'malformed' }
    const kind = inOrder.find((each) => each.matches(token))
    if (!kind) return { failure: 'malformed' }
    const result = await kind.authenticate(token)
    return 'principal' in result ? admit(db, result.principal) : result
  }
}

/** What holds for every kind of credential. */
async function admit(db: Kysely<Database>, principal: Principal): Promise<Authentication> {
  // The types say so; that an owner is missing must mean "nobody's" even where something has slipped past them.
  if (!Number.isSafeInteger(principal.tenantId)) return { failure: 'unknown' }
  // Asked for every request, so that it holds from the moment a tenant is disabled.
  const isServed = await isTenantServed(db, principal.tenantId)
  return isServed ? { principal } : { failure: 'disabled', credential: principal.credential }
}

/** SCIM_TOKEN. */
function configuredToken(db: Kysely<Database>, scimToken: string): CredentialKind {
  const configured = sha256(scimToken)
  let defaultTenant: number | undefined
  return {
    matches: (token) => sameHash(sha256(token), configured),
    async authenticate() {
      defaultTenant ??= await findTenant(db, DEFAULT_TENANT)
      return defaultTenant === undefined
        ? { failure: 'unknown', credential: 'SCIM_TOKEN' }
        : { principal: { tenantId: defaultTenant, credential: 'SCIM_TOKEN', access: 'write' } }
    },
  }
}
