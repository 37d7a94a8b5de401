import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { authenticateClient, type ClientAuthentication, type KnownClient } from './oauth-authenticate.ts'
import { invalidClient } from './oauth-error.ts'
import { readTokenRequest } from './oauth-request.ts'
import { newAccessToken } from './oauth-secrets.ts'
import { isTenantServed } from './tenants.ts'

/** Entra wants 1 to 6 hours; RFC 6750 §5.3 wants an hour or less. */
export const ACCESS_TOKEN_SECONDS = 3600
/** Deleted with each token that is issued, so that nothing has to tidy up. */
const TIDIED_AT_ONCE = 100

/** Answers a request to the token endpoint with an access token; refuses with an `OauthError`. */
export type GrantAccess = (body: string, authorization: string | undefined) => Promise<string>

export const createGrantAccess =
  (parts: ClientAuthentication): GrantAccess =>
  async (body, authorization) => {
    const proof = readTokenRequest(body, authorization)
    const client = await authenticateClient(parts, proof)
    return issueAccessToken(parts.db, client)
  }

const issueAccessToken = (db: Kysely<Database>, client: KnownClient): Promise<string> =>
  inTransaction(db, async (trx) => {
    const { tenantId, clientId, secretHash } = client
    // Revoked since it was looked for, or not until this has committed: then the revocation deletes the token.
    const used = await trx
      .updateTable('oauth_client')
      .set({ last_used_at: sql`now()` })
      .where('tenant_id', '=', tenantId)
      .where('client_id', '=', clientId)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (used.numUpdatedRows === 0n) throw invalidClient('revoked')
    if (!(await isTenantServed(trx, tenantId))) throw invalidClient('disabled')
    if (secretHash) {
      // The transaction's own now() may lie before the rotation that it has just waited for.
      const proved = await trx
        .updateTable('oauth_client_secret')
        .set({ last_used_at: sql`now()` })
        .where('tenant_id', '=', tenantId)
        .where('client_id', '=', clientId)
        .where('secret_hash', '=', secretHash)
        .where('expires_at', '>', sql<Date>`clock_timestamp()`)
        .executeTakeFirst()
      if (proved.numUpdatedRows === 0n) throw invalidClient('expired')
    }
    const { text, hash } = newAccessToken()
    await trx
      .insertInto('oauth_access_token')
      .values({
        tenant_id: tenantId,
        client_id: clientId,
        token_hash: hash,
        expires_at: sql`now() + make_interval(secs => ${ACCESS_TOKEN_SECONDS})`,
      })
      .execute()
    await sql`
      delete from oauth_access_token where token_hash in (
        select token_hash from oauth_access_token where expires_at <= now()
        limit ${TIDIED_AT_ONCE} for update skip locked)`.execute(trx)
    return text
  })
