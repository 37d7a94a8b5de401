import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { isAccessToken } from './oauth-secrets.ts'
import type { CredentialKind } from './principal.ts'
import { sha256 } from './token.ts'

/** The access tokens of the token endpoint. They say nothing by themselves, so that a client's end is theirs at once. */
export const oauthAccessTokens = (db: Kysely<Database>): CredentialKind => ({
  matches: isAccessToken,
  async authenticate(token) {
    const row = await db
      .selectFrom('oauth_access_token as token')
      .innerJoin('oauth_client as client', (join) =>
        join
          .onRef('client.tenant_id', '=', 'token.tenant_id')
          .onRef('client.client_id', '=', 'token.client_id'),
      )
      .select([
        'token.tenant_id',
        'token.client_id',
        'client.access',
        'client.revoked_at',
        sql<boolean>`token.expires_at <= now()`.as('expired'),
      ])
      // A look-up by the hash: how far it gets says nothing about a token that hashes to something else.
      .where('token.token_hash', '=', sha256(token))
      .executeTakeFirst()
    if (!row) return { failure: 'unknown' }
    const credential = clientCredential(row.client_id)
    if (row.revoked_at) return { failure: 'revoked', credential }
    if (row.expired) return { failure: 'expired', credential }
    return { principal: { tenantId: row.tenant_id, credential, access: row.access } }
  },
})

/** How a client is called in logs, metrics and the audit trail. */
export const clientCredential = (clientId: string): string => `client:${clientId}`
