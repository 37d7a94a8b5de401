import { type Kysely, type SelectQueryBuilder, sql, type Transaction } from 'kysely'
import type { Database, TenantTable } from '../db/tables.ts'

/** The policies that a tenant may have of its own; undefined is the process's setting. */
export interface OwnPolicies {
  readonly placeholderRole: string | undefined
  readonly protectedRoles: readonly string[] | undefined
  readonly unknownRole: NonNullable<TenantTable['unknown_role']> | undefined
  readonly existingAccounts: NonNullable<TenantTable['existing_accounts']> | undefined
  readonly onDeactivate: NonNullable<TenantTable['on_deactivate']> | undefined
  readonly onUserDelete: NonNullable<TenantTable['on_user_delete']> | undefined
}

/** A tenant's own Campaign Manager. */
export interface OwnCampaignManager {
  readonly url: string
  /** Its API key, encrypted. */
  readonly sealedKey: { readonly sealed: Buffer; readonly keyId: string }
}

export interface TenantSettings {
  readonly tenantId: number
  readonly name: string
  readonly disabled: boolean
  /** Counts the changes of the settings. */
  readonly version: number
  /** Which Campaign Manager the tenant's accounts are in: the shared one, '', or the URL of its own. */
  readonly endpoint: string
  readonly campaignManager: OwnCampaignManager | undefined
  readonly policies: OwnPolicies
}

type Row = Awaited<ReturnType<ReturnType<typeof rows>['executeTakeFirstOrThrow']>>

const rows = (db: Kysely<Database>) => db.selectFrom('tenant').selectAll()

const settingsOf = (row: Row): TenantSettings => ({
  tenantId: row.tenant_id,
  name: row.name,
  disabled: row.disabled_at !== null,
  version: row.settings_version,
  endpoint: row.endpoint,
  campaignManager: campaignManagerOf(row),
  policies: {
    placeholderRole: row.placeholder_role ?? undefined,
    protectedRoles: row.protected_roles ?? undefined,
    unknownRole: row.unknown_role ?? undefined,
    existingAccounts: row.existing_accounts ?? undefined,
    onDeactivate: row.on_deactivate ?? undefined,
    onUserDelete: row.on_user_delete ?? undefined,
  },
})

function campaignManagerOf(row: Row): OwnCampaignManager | undefined {
  const { campaign_manager_url: url, campaign_manager_key: sealed, campaign_manager_key_id: keyId } = row
  return url !== null && sealed !== null && keyId !== null ? { url, sealedKey: { sealed, keyId } } : undefined
}

const loaded = async (query: SelectQueryBuilder<Database, 'tenant', Row>): Promise<TenantSettings[]> =>
  (await query.orderBy('tenant_id').execute()).map(settingsOf)

export const loadTenantSettings = async (
  db: Kysely<Database>,
  tenantIds: readonly number[],
): Promise<TenantSettings[]> =>
  loaded(rows(db).where('tenant_id', '=', sql<number>`any(${tenantIds}::integer[])`))

/** The settings of those tenants that are served and whose accounts are in this Campaign Manager. */
export const loadTenantsOfEndpoint = async (
  db: Kysely<Database>,
  endpoint: string,
): Promise<TenantSettings[]> =>
  loaded(rows(db).where('endpoint', '=', endpoint).where('disabled_at', 'is', null))

export const loadAllTenantSettings = async (db: Kysely<Database>): Promise<TenantSettings[]> =>
  loaded(rows(db))

/** The Campaign Managers of the tenants that are served, the shared one first. */
export async function listEndpoints(db: Kysely<Database>): Promise<string[]> {
  const found = await db
    .selectFrom('tenant')
    .select('endpoint')
    .distinct()
    .where('disabled_at', 'is', null)
    .orderBy('endpoint')
    .execute()
  return found.map(({ endpoint }) => endpoint)
}

/**
 * Locks a tenant's settings against every other change of them, and against new accounts: whoever inserts one refers to the
 * tenant. To be taken first of all locks.
 */
export async function lockTenantSettings(
  trx: Transaction<Database>,
  tenantId: number,
): Promise<TenantSettings | undefined> {
  const [settings] = await loaded(rows(trx).where('tenant_id', '=', tenantId).forUpdate())
  return settings
}

/** Waits for a change of the tenant's settings that is under way, before anything is locked that such a change locks. */
export async function awaitTenantSettings(trx: Transaction<Database>, tenantId: number): Promise<void> {
  await trx.selectFrom('tenant').select('tenant_id').where('tenant_id', '=', tenantId).forKeyShare().execute()
}

/** Writes the settings, and so puts an end to every attempt that went by the ones before. */
export async function saveTenantSettings(
  trx: Transaction<Database>,
  tenantId: number,
  { campaignManager, policies }: Pick<TenantSettings, 'campaignManager' | 'policies'>,
): Promise<void> {
  await trx
    .updateTable('tenant')
    .set({
      settings_version: sql<number>`settings_version + 1`,
      campaign_manager_url: campaignManager?.url ?? null,
      campaign_manager_key: campaignManager?.sealedKey.sealed ?? null,
      campaign_manager_key_id: campaignManager?.sealedKey.keyId ?? null,
      placeholder_role: policies.placeholderRole ?? null,
      protected_roles: policies.protectedRoles === undefined ? null : [...policies.protectedRoles],
      unknown_role: policies.unknownRole ?? null,
      existing_accounts: policies.existingAccounts ?? null,
      on_deactivate: policies.onDeactivate ?? null,
      on_user_delete: policies.onUserDelete ?? null,
    })
    .where('tenant_id', '=', tenantId)
    .execute()
}

/** Users of the tenant, locked in the order of ids, and those of them from whom a change may take something away. */
export async function lockTenantUsers(
  trx: Transaction<Database>,
  tenantId: number,
): Promise<{ userIds: string[]; inactive: string[]; withPlaceholder: string[]; linked: number }> {
  const { rows: users } = await sql<{
    user_id: string
    inactive: boolean
    placeholder: boolean
    linked: boolean
  }>`
    select account.user_id, coalesce(not scim_user.active, false) as inactive,
           account.placeholders <> '{}' as placeholder,
           account.campaign_manager_id is not null or account.create_key is not null
             or account.write_pending_since is not null as linked
    from account
    left join scim_user on scim_user.tenant_id = account.tenant_id and scim_user.id = account.user_id
    where account.tenant_id = ${tenantId}
    order by account.user_id
    for no key update of account`.execute(trx)
  const idsOf = (which: (user: (typeof users)[number]) => boolean) =>
    users.flatMap((user) => (which(user) ? [user.user_id] : []))
  return {
    userIds: idsOf(() => true),
    inactive: idsOf(({ inactive }) => inactive),
    withPlaceholder: idsOf(({ placeholder }) => placeholder),
    linked: users.filter(({ linked }) => linked).length,
  }
}
