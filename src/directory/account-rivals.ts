import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/**
 * Whether another user, of whatever tenant, holds, is making or is still giving up an account of one of these addresses in this
 * Campaign Manager.
 * It is asked before Campaign Manager is, so that an account seen there afterwards cannot be one that was given up since.
 */
export async function isAddressContested(
  db: Kysely<Database>,
  endpoint: string,
  tenantId: number,
  userId: string,
  emails: readonly string[],
): Promise<boolean> {
  const { rows } = await sql`
    select from account
    where (tenant_id, user_id) <> (${tenantId}, ${userId}) and endpoint = ${endpoint}
      and lower(email) = any(array(select lower(address) from unnest(${emails}::text[]) as address))
      and (campaign_manager_id is not null or create_key is not null)
    limit 1`.execute(db)
  return rows.length > 0
}

/** Whether this account of Campaign Manager is recorded as another user's. */
export async function isAccountOfAnother(
  db: Kysely<Database>,
  endpoint: string,
  tenantId: number,
  userId: string,
  campaignManagerId: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('account')
    .select(['tenant_id', 'user_id'])
    .where('endpoint', '=', endpoint)
    .where('campaign_manager_id', '=', campaignManagerId)
    .executeTakeFirst()
  return row !== undefined && (row.tenant_id !== tenantId || row.user_id !== userId)
}
