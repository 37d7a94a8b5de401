import { type Kysely, sql } from 'kysely'
import type { AccountTable, Database } from '../db/tables.ts'
import { joinUserNames, knownUserName } from '../db/user-name.ts'
import { type AccountRecord, type RecordRow, recordColumns, recordOf } from './account-record.ts'

/** A walk through Campaign Manager's inventory, as far as the directory has to know it. */
export interface WalkReference {
  readonly id: string
  /** Which Campaign Manager's. */
  readonly endpoint: string
  readonly began: string
}

/** How many rows one statement looks at. */
const BATCH = 500

/** The database's time, as it writes it. */
export async function databaseNow(db: Kysely<Database>): Promise<string> {
  const { rows } = await sql<{ now: string }>`select now()::text as now`.execute(db)
  const row = rows[0]
  if (!row) throw new Error('the database did not say what time it is')
  return row.now
}

export interface LinkedRecord {
  readonly tenantId: number
  readonly userId: string
  readonly record: AccountRecord
  /** Dirty, or reconciled since: what Campaign Manager showed may be on its way to what it should be. */
  readonly busy: boolean
}

/**
 * The users of these accounts of one Campaign Manager, by account id; one statement for all.
 *
 * @param since the database's time before Campaign Manager was asked
 */
export async function loadLinkedRecords(
  db: Kysely<Database>,
  endpoint: string,
  accountIds: readonly string[],
  since: string,
): Promise<Map<string, LinkedRecord>> {
  const { rows } = await sql<
    RecordRow & { tenant_id: number; user_id: string; campaign_manager_id: string; busy: boolean }
  >`
    select account.tenant_id, account.user_id, ${isBusy(since)} as busy, ${recordColumns}
    from account
    left join scim_user on scim_user.tenant_id = account.tenant_id and scim_user.id = account.user_id
    where account.endpoint = ${endpoint} and account.campaign_manager_id = any(${accountIds}::text[])`.execute(
    db,
  )
  return new Map(
    rows.map((row) => [
      row.campaign_manager_id,
      { tenantId: row.tenant_id, userId: row.user_id, busy: row.busy, record: recordOf(row) },
    ]),
  )
}

export interface MissingAccount {
  readonly tenantId: number
  readonly userId: string
  readonly standing: AccountTable['standing']
  /** Undefined when the user, who should have an account, has none recorded. */
  readonly accountId: string | undefined
}

/** The tenants whose accounts are in this Campaign Manager. */
const tenantsOf = (endpoint: string) => sql`select tenant.* from tenant where tenant.endpoint = ${endpoint}`

/**
 * Users whose account the walk, all of whose pages are read, has not seen, and those who are to have one and have none. Tenants
 * that are not served are left out.
 *
 * @param after the last key of the batch before, undefined for the first
 * @returns a batch, and the key to go on from unless it was the last
 */
export async function loadMissingAccounts(
  db: Kysely<Database>,
  walk: WalkReference,
  after: string | undefined,
): Promise<{ missing: MissingAccount[]; next: string | undefined }> {
  const [tenantId = '0', userId = '00000000-0000-0000-0000-000000000000'] = after?.split('/') ?? []
  const { rows } = await sql<{
    tenant_id: number
    user_id: string
    standing: AccountTable['standing']
    campaign_manager_id: string | null
  }>`
    select account.tenant_id, account.user_id, account.standing, account.campaign_manager_id
    from account
    where account.tenant_id in (
        select served.tenant_id from (${tenantsOf(walk.endpoint)}) as served where served.disabled_at is null
      )
      and (account.tenant_id, account.user_id) > (${Number(tenantId)}::integer, ${userId}::uuid)
      and not ${isBusy(walk.began)}
      and case when account.campaign_manager_id is null then account.standing in ('awaiting', 'assigned')
          else not exists (
            select from inventory_account as seen
            where seen.walk = ${walk.id} and seen.campaign_manager_id = account.campaign_manager_id
          ) end
    order by account.tenant_id, account.user_id
    limit ${BATCH}`.execute(db)
  const last = rows[BATCH - 1]
  return {
    missing: rows.map((row) => ({
      tenantId: row.tenant_id,
      userId: row.user_id,
      standing: row.standing,
      accountId: row.campaign_manager_id ?? undefined,
    })),
    next: last && `${last.tenant_id}/${last.user_id}`,
  }
}

/** A user whom an account that is not linked here may have been made for. */
export interface ExternalIdHolder {
  readonly tenantId: number
  readonly userId: string
  readonly standing: AccountTable['standing']
  /** Whether another account is the user's. */
  readonly linked: boolean
  readonly busy: boolean
}

export interface StrayAccount {
  readonly accountId: string
  readonly externalId: string
  /** Accounts of the inventory that carry this external id, this one included. */
  readonly carriers: number
  readonly holders: readonly ExternalIdHolder[]
}

/** Accounts of a walk that carry an external id and were no user's when they were seen, nor are now. */
export async function loadStrayAccounts(
  db: Kysely<Database>,
  walk: WalkReference,
  after: string | undefined,
): Promise<{ strays: StrayAccount[]; next: string | undefined }> {
  const { rows } = await sql<{
    campaign_manager_id: string
    external_id: string
    carriers: string
    holders: ExternalIdHolder[] | null
  }>`
    with stray as (
      select seen.campaign_manager_id, seen.external_id
      from inventory_account as seen
      where seen.walk = ${walk.id} and seen.campaign_manager_id > ${after ?? ''}
        and not seen.linked and seen.external_id is not null
        and not exists (
          select from account
          where account.endpoint = ${walk.endpoint} and account.campaign_manager_id = seen.campaign_manager_id
        )
      order by seen.campaign_manager_id
      limit ${BATCH}
    ), here as (${tenantsOf(walk.endpoint)}), holder as materialized (
      select stray.external_id, scim_user.tenant_id, scim_user.id as user_id
      from stray cross join here
      join scim_user on scim_user.tenant_id = here.tenant_id and scim_user.external_id = stray.external_id
      union
      select stray.external_id, account.tenant_id, account.user_id
      from stray cross join here
      join account on account.tenant_id = here.tenant_id and account.user_id = case
        when stray.external_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then stray.external_id::uuid end
      union
      select stray.external_id, account.tenant_id, account.user_id
      from stray join account on account.external_id = stray.external_id
      join here on here.tenant_id = account.tenant_id
    ), known as materialized (
      select holder.external_id, json_agg(json_build_object(
        'tenantId', account.tenant_id, 'userId', account.user_id, 'standing', account.standing,
        'linked', account.campaign_manager_id is not null, 'busy', ${isBusy(walk.began)}
      ) order by account.tenant_id, account.user_id) as holders
      from holder
      join account on account.tenant_id = holder.tenant_id and account.user_id = holder.user_id
      group by holder.external_id
    )
    select stray.campaign_manager_id, stray.external_id, known.holders,
           (select count(*) from inventory_account as seen
            where seen.walk = ${walk.id} and seen.external_id = stray.external_id) as carriers
    from stray left join known on known.external_id = stray.external_id
    order by stray.campaign_manager_id`.execute(db)
  const last = rows[BATCH - 1]
  return {
    strays: rows.map((row) => ({
      accountId: row.campaign_manager_id,
      externalId: row.external_id,
      carriers: Number(row.carriers),
      holders: row.holders ?? [],
    })),
    next: last?.campaign_manager_id,
  }
}

const isBusy = (since: string) => sql<boolean>`(
  exists (
    select from dirty_user
    where dirty_user.tenant_id = account.tenant_id and dirty_user.user_id = account.user_id
  ) or coalesce(account.observed_at > ${since}::timestamptz, false))`

export interface UserName {
  readonly tenant: string
  readonly userName: string | undefined
}

/** What an operator knows users by: the tenant's name, and the userName, the last one of somebody who is deleted. Keyed `tenantId/userId`. */
export async function loadUserNames(
  db: Kysely<Database>,
  users: readonly { readonly tenantId: number; readonly userId: string }[],
): Promise<Map<string, UserName>> {
  const { rows } = await sql<{
    tenant_id: number
    user_id: string
    tenant: string
    user_name: string | null
  }>`
    select tenant.tenant_id, wanted.user_id, tenant.name as tenant, ${knownUserName} as user_name
    from unnest(
      ${users.map(({ tenantId }) => tenantId)}::integer[], ${users.map(({ userId }) => userId)}::uuid[]
    ) as wanted (tenant_id, user_id)
    join tenant on tenant.tenant_id = wanted.tenant_id
    ${joinUserNames(sql`wanted`)}`.execute(db)
  return new Map(
    rows.map((row) => [
      `${row.tenant_id}/${row.user_id}`,
      { tenant: row.tenant, userName: row.user_name ?? undefined },
    ]),
  )
}
