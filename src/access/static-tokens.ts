import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import type { CredentialKind } from './principal.ts'
import { isToken, parseToken, sameHash } from './token.ts'

/** Stands for the hash of a token that is not there, so that looking for it takes no less time. */
const NOBODYS_HASH = randomBytes(32)

/** The tokens made by `token create`. */
export const staticTokens = (
  db: Kysely<Database>,
  onUse: (tenantId: number, tokenId: string) => void,
): CredentialKind => ({
  matches: isToken,
  async authenticate(token) {
    const parsed = parseToken(token)
    if (!parsed) return { failure: 'malformed' }
    const row = await db
      .selectFrom('scim_token')
      .select([
        'tenant_id',
        'secret_hash',
        'access',
        'revoked_at',
        sql<boolean>`coalesce(expires_at <= now(), false)`.as('expired'),
      ])
      .where('token_id', '=', parsed.tokenId)
      .executeTakeFirst()
    const isProved = sameHash(parsed.secretHash, row?.secret_hash ?? NOBODYS_HASH)
    if (!row || !isProved) return { failure: 'unknown' }
    const credential = tokenCredential(parsed.tokenId)
    if (row.revoked_at) return { failure: 'revoked', credential }
    if (row.expired) return { failure: 'expired', credential }
    onUse(row.tenant_id, parsed.tokenId)
    return { principal: { tenantId: row.tenant_id, credential, access: row.access } }
  },
})

/** How a stored token is called in logs, metrics and the audit trail. */
export const tokenCredential = (tokenId: string): string => `token:${tokenId}`
