import { type Kysely, sql, type Transaction } from 'kysely'
import { OPERATOR } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'

export interface TenantDescription {
  readonly name: string
  readonly created: Date
  /** Since when it is not served; null while it is. */
  readonly disabled: Date | null
  /** The URL of its own Campaign Manager; null when it is in the shared one. */
  readonly campaignManagerUrl: string | null
}

/** False when a tenant of this name exists already. */
export async function createTenant(db: Kysely<Database>, name: string): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const row = await trx
      .insertInto('tenant')
      .values({ name })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning('tenant_id')
      .executeTakeFirst()
    if (row) tell(trx, row.tenant_id, 'tenant.create')
    return row !== undefined
  })
}

const tell = (
  trx: Transaction<Database>,
  tenantId: number,
  operation: 'tenant.create' | 'tenant.disable' | 'tenant.enable',
): void =>
  recordAudit(trx, tenantId, OPERATOR, { operation, resourceType: 'Tenant', resourceId: String(tenantId) })

/** The id of the tenant of this name. */
export async function findTenant(db: Kysely<Database>, name: string): Promise<number | undefined> {
  const row = await db.selectFrom('tenant').select('tenant_id').where('name', '=', name).executeTakeFirst()
  return row?.tenant_id
}

export const listTenants = (db: Kysely<Database>): Promise<TenantDescription[]> =>
  db
    .selectFrom('tenant')
    .select([
      'name',
      'created_at as created',
      'disabled_at as disabled',
      'campaign_manager_url as campaignManagerUrl',
    ])
    .orderBy('tenant_id')
    .execute()

/** Whether the tenant exists and is not disabled; one look-up by key. */
export async function isTenantServed(db: Kysely<Database>, tenantId: number): Promise<boolean> {
  const row = await db
    .selectFrom('tenant')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .where('disabled_at', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Has a tenant served, or not: its credentials are refused and nothing of it is claimed, from the next request and the next round
 * of claims on. What waits goes on waiting. False when there is no such tenant; disabling twice keeps the first time.
 */
export async function setTenantServed(db: Kysely<Database>, name: string, served: boolean): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const tenant = await trx
      .selectFrom('tenant')
      .select(['tenant_id', 'disabled_at'])
      .where('name', '=', name)
      .forNoKeyUpdate()
      .executeTakeFirst()
    if (!tenant) return false
    const isServed = tenant.disabled_at === null
    if (isServed === served) return true
    await trx
      .updateTable('tenant')
      .set({ disabled_at: served ? null : sql<Date>`now()` })
      .where('tenant_id', '=', tenant.tenant_id)
      .execute()
    tell(trx, tenant.tenant_id, served ? 'tenant.enable' : 'tenant.disable')
    return true
  })
}

/** What the database accepts too: it appears in commands, logs and metric labels. */
export const isTenantName = (name: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
