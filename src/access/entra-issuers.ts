import { type Kysely, sql, type Transaction } from 'kysely'
import { OPERATOR } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import { uniqueViolation } from '../db/errors.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { findTenant } from './tenants.ts'

/** Which tokens of Entra's own a tenant accepts. */
export interface EntraIssuer {
  /** The directory's id, in lower case. */
  readonly entraTenantId: string
  readonly audience: string
  /** The application that must have asked for the token. */
  readonly appId: string
}

/** Entra's provisioning service, which asks for tokens under this id in every directory. */
export const ENTRA_PROVISIONING_APP = '00000014-0000-0000-c000-000000000000'

export const isGuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

export async function allowEntraTokens(
  db: Kysely<Database>,
  tenant: string,
  { entraTenantId, audience, appId }: EntraIssuer,
): Promise<'done' | 'no tenant' | 'taken'> {
  const row = { entra_tenant_id: entraTenantId, audience, app_id: appId }
  try {
    return await inTransaction(db, async (trx) => {
      const tenantId = await findTenant(trx, tenant)
      if (tenantId === undefined) return 'no tenant'
      await trx
        .insertInto('entra_issuer')
        .values({ tenant_id: tenantId, ...row })
        .onConflict((conflict) =>
          conflict.column('tenant_id').doUpdateSet({ ...row, created_at: sql`now()` }),
        )
        .execute()
      tellIssuer(trx, tenantId, { entraTenantId, audience, appId })
      return 'done'
    })
  } catch (error) {
    if (uniqueViolation(error) === 'entra_issuer_one_tenant') return 'taken'
    throw error
  }
}

/** False when the tenant accepted none. */
export async function refuseEntraTokens(db: Kysely<Database>, tenant: string): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const { rows } = await sql<{ tenant_id: number }>`
      delete from entra_issuer using tenant
      where tenant.tenant_id = entra_issuer.tenant_id and tenant.name = ${tenant}
      returning entra_issuer.tenant_id`.execute(trx)
    const [refused] = rows
    if (refused) tellIssuer(trx, refused.tenant_id, null)
    return refused !== undefined
  })
}

const tellIssuer = (trx: Transaction<Database>, tenantId: number, accepted: EntraIssuer | null): void =>
  recordAudit(trx, tenantId, OPERATOR, {
    operation: 'tenant.change',
    resourceType: 'Tenant',
    resourceId: String(tenantId),
    attributes: ['entraTokens'],
    detail: { accepted },
  })

export const findEntraIssuer = (db: Kysely<Database>, tenant: string): Promise<EntraIssuer | undefined> =>
  db
    .selectFrom('entra_issuer')
    .innerJoin('tenant', 'tenant.tenant_id', 'entra_issuer.tenant_id')
    .select(['entra_tenant_id as entraTenantId', 'audience', 'app_id as appId'])
    .where('tenant.name', '=', tenant)
    .executeTakeFirst()

/** The tenants of this Entra directory: one for each audience. */
export const entraIssuersOf = (
  db: Kysely<Database>,
  entraTenantId: string,
): Promise<(EntraIssuer & { tenantId: number })[]> =>
  db
    .selectFrom('entra_issuer')
    .select(['tenant_id as tenantId', 'entra_tenant_id as entraTenantId', 'audience', 'app_id as appId'])
    .where('entra_tenant_id', '=', entraTenantId)
    .execute()
