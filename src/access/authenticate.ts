import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { parseToken, sameHash, sha256 } from './token.ts'

/** Who sends a request. The tenant of everything it touches is this one, whatever the request says. */
export interface Principal {
  readonly tenantId: number
  readonly credential: string
}

export type AuthFailure = 'missing' | 'malformed' | 'unknown' | 'expired' | 'revoked'

export type Authentication = { readonly principal: Principal } | { readonly failure: AuthFailure }

export interface AuthenticatorOptions {
  readonly db: Kysely<Database>
  /** The token of the setting SCIM_TOKEN, which belongs to the tenant `default`. */
  readonly scimToken: string | undefined
}

export type Authenticate = (token: string) => Promise<Authentication>

const DEFAULT_TENANT = 'default'

/** Tells whose token it is. Fails with the store's error when the store cannot be asked: that is no wrong token. */
export function createAuthenticator({ db, scimToken }: AuthenticatorOptions): Authenticate {
  const configured = scimToken === undefined ? undefined : sha256(scimToken)
  let defaultTenant: number | undefined

  async function defaultTenantId(): Promise<number> {
    defaultTenant ??= (
      await db
        .selectFrom('tenant')
        .select('tenant_id')
        .where('name', '=', DEFAULT_TENANT)
        .executeTakeFirstOrThrow()
    ).tenant_id
    return defaultTenant
  }

  return async (token) => {
    if (configured && sameHash(sha256(token), configured)) {
      return { principal: { tenantId: await defaultTenantId(), credential: 'SCIM_TOKEN' } }
    }
    const parsed = parseToken(token)
    if (!parsed) return { failure: 'malformed' }
    const row = await db
      .selectFrom('scim_token')
      .select([
        'tenant_id',
        'secret_hash',
        'revoked_at',
        sql<boolean>`coalesce(expires_at <= now(), false)`.as('expired'),
      ])
      .where('token_id', '=', parsed.tokenId)
      .executeTakeFirst()
    if (!row || !sameHash(parsed.secretHash, row.secret_hash)) return { failure: 'unknown' }
    if (row.revoked_at) return { failure: 'revoked' }
    if (row.expired) return { failure: 'expired' }
    return { principal: { tenantId: row.tenant_id, credential: parsed.tokenId } }
  }
}
