import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/** When a SCIM client last changed a user or a group of a tenant that is served, in seconds since 1970; undefined: never. */
export async function lastScimWrite(db: Kysely<Database>): Promise<number | undefined> {
  const { rows } = await sql<{ seconds: number | null }>`
    select extract(epoch from max(scim_write_at))::float8 as seconds
    from audit_head join tenant using (tenant_id)
    where tenant.disabled_at is null`.execute(db)
  return rows[0]?.seconds ?? undefined
}
