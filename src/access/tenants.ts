import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'

export interface TenantDescription {
  readonly name: string
  readonly created: Date
}

/** False when a tenant of this name exists already. */
export async function createTenant(db: Kysely<Database>, name: string): Promise<boolean> {
  const row = await db
    .insertInto('tenant')
    .values({ name })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('tenant_id')
    .executeTakeFirst()
  return row !== undefined
}

/** The id of the tenant of this name. */
export async function findTenant(db: Kysely<Database>, name: string): Promise<number | undefined> {
  const row = await db.selectFrom('tenant').select('tenant_id').where('name', '=', name).executeTakeFirst()
  return row?.tenant_id
}

export const listTenants = (db: Kysely<Database>): Promise<TenantDescription[]> =>
  db.selectFrom('tenant').select(['name', 'created_at as created']).orderBy('tenant_id').execute()

/** What the database accepts too: it appears in commands, logs and metric labels. */
export const isTenantName = (name: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
