import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { hasUsableClient } from './oauth-client-list.ts'

/** Whether the database holds anything that somebody could authenticate with. */
export async function hasUsableCredential(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql`
    select from scim_token join tenant using (tenant_id)
    where tenant.disabled_at is null and revoked_at is null and coalesce(expires_at > now(), true) limit 1`.execute(
    db,
  )
  return rows.length > 0 || hasUsableClient(db)
}
