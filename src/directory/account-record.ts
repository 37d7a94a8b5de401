import type { Kysely, Transaction, UpdateObject } from 'kysely'
import { sql } from 'kysely'
import type { AccountTable, Database, DeletionState } from '../db/tables.ts'
import type { Resource } from '../scim/attribute.ts'

/** All that the directory knows about one user's account, read at one moment. */
export interface AccountRecord {
  readonly standing: AccountTable['standing']
  readonly campaignManagerId: string | undefined
  readonly granted: readonly string[]
  /** What the account was last written with, or may have been. */
  readonly email: string | undefined
  readonly externalId: string | undefined
  readonly createKey: string | undefined
  /** For how long a write may have been under way of which nobody knows what became. */
  readonly writePendingSeconds: number | undefined
  /** What the account held when it was last seen. */
  readonly observedRoles: readonly string[] | undefined
  /** Undefined once the user is deleted. */
  readonly user: Resource | undefined
  /** Names of the groups the user is in, in order of joining. */
  readonly groupNames: readonly string[]
  /** Whether a comparison of the inventory has counted what is not as it was last seen. */
  readonly driftCounted: boolean
  /** What was decided about the account's deletion. */
  readonly deletion: DeletionState | undefined
  /** Whether the account was enabled before its deletion was held. */
  readonly enabledBefore: boolean | undefined
}

/** A row of `recordColumns`. */
export interface RecordRow {
  standing: AccountTable['standing']
  campaign_manager_id: string | null
  granted: string[]
  email: string | null
  external_id: string | null
  create_key: string | null
  pending_seconds: number | null
  observed_roles: string[] | null
  attributes: Resource | null
  group_names: string[]
  drift_counted: boolean
  deletion: DeletionState | null
  enabled_before: boolean | null
}

/** For a statement that joins `account` and, left, `scim_user`: one, so that everything is of one moment. */
export const recordColumns = sql.raw(`
  account.standing, account.campaign_manager_id, account.granted, account.email, account.external_id,
  account.create_key, extract(epoch from now() - account.write_pending_since)::float8 as pending_seconds,
  account.observed_roles, account.deletion, account.enabled_before, scim_user.attributes,
  array(
    select scim_group.attributes ->> 'displayName'
    from group_member
    join scim_group on scim_group.tenant_id = group_member.tenant_id and scim_group.id = group_member.group_id
    where group_member.tenant_id = account.tenant_id and group_member.user_id = account.user_id
    order by group_member.joined
  ) as group_names,
  exists (
    select from drift_finding
    where drift_finding.tenant_id = account.tenant_id and drift_finding.user_id = account.user_id
      and drift_finding.kind not in ('orphan', 'duplicate')
      and (account.observed_at is null or drift_finding.found_at >= account.observed_at)
  ) as drift_counted`)

export const recordOf = (row: RecordRow): AccountRecord => ({
  standing: row.standing,
  campaignManagerId: row.campaign_manager_id ?? undefined,
  granted: row.granted,
  email: row.email ?? undefined,
  externalId: row.external_id ?? undefined,
  createKey: row.create_key ?? undefined,
  writePendingSeconds: row.pending_seconds ?? undefined,
  observedRoles: row.observed_roles ?? undefined,
  user: row.attributes ?? undefined,
  groupNames: row.group_names,
  driftCounted: row.drift_counted,
  deletion: row.deletion ?? undefined,
  enabledBefore: row.enabled_before ?? undefined,
})

export async function loadAccountRecord(
  db: Kysely<Database>,
  tenantId: number,
  userId: string,
): Promise<AccountRecord | undefined> {
  const { rows } = await sql<RecordRow>`
    select ${recordColumns}
    from account
    left join scim_user on scim_user.tenant_id = account.tenant_id and scim_user.id = account.user_id
    where account.tenant_id = ${tenantId} and account.user_id = ${userId}`.execute(db)
  return rows[0] && recordOf(rows[0])
}

/**
 * Whether another user, of whatever tenant, holds, is making or is still giving up an account of one of these addresses.
 * It is asked before Campaign Manager is, so that an account seen there afterwards cannot be one that was given up since.
 */
export async function isAddressContested(
  db: Kysely<Database>,
  tenantId: number,
  userId: string,
  emails: readonly string[],
): Promise<boolean> {
  const { rows } = await sql`
    select from account
    where (tenant_id, user_id) <> (${tenantId}, ${userId})
      and lower(email) = any(array(select lower(address) from unnest(${emails}::text[]) as address))
      and (campaign_manager_id is not null or create_key is not null)
    limit 1`.execute(db)
  return rows.length > 0
}

/** Whether this account of Campaign Manager is recorded as another user's. */
export async function isAccountOfAnother(
  db: Kysely<Database>,
  tenantId: number,
  userId: string,
  campaignManagerId: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('account')
    .select(['tenant_id', 'user_id'])
    .where('campaign_manager_id', '=', campaignManagerId)
    .executeTakeFirst()
  return row !== undefined && (row.tenant_id !== tenantId || row.user_id !== userId)
}

/** What is about to be written, recorded before it is: whatever happens then, the account can be found and told apart. */
export interface WriteIntent {
  readonly campaignManagerId: string | undefined
  readonly granted: readonly string[]
  readonly email: string
  readonly externalId: string | undefined
  readonly createKey: string | undefined
}

export async function recordIntent(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  intent: WriteIntent,
): Promise<void> {
  await update(trx, tenantId, userId, {
    campaign_manager_id: intent.campaignManagerId ?? null,
    granted: [...intent.granted],
    email: intent.email,
    external_id: intent.externalId ?? null,
    create_key: intent.createKey ?? null,
    write_pending_since: sql<Date>`coalesce(write_pending_since, now())`,
  })
}

/** For a write that is about to be made and needs no other intent. */
export const recordWritePending = (trx: Transaction<Database>, tenantId: number, userId: string) =>
  update(trx, tenantId, userId, {
    write_pending_since: sql<Date>`coalesce(write_pending_since, now())`,
  })

/** How an account is that is about to be disabled instead of deleted. */
export interface HoldIntent {
  readonly campaignManagerId: string
  readonly enabled: boolean
  /** Whether it may be enabled again, should its deletion be called off. */
  readonly mayBeEnabled: boolean
}

/** Once held, what the account was before is known. False when it is not to be deleted any more, or has been decided about. */
export async function recordHoldIntent(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  { campaignManagerId, enabled, mayBeEnabled }: HoldIntent,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('account')
    .set({
      campaign_manager_id: campaignManagerId,
      deletion: 'held',
      enabled_before: sql<boolean>`
        case when deletion = 'held' then enabled_before else ${enabled}::boolean end and ${mayBeEnabled}::boolean`,
      write_pending_since: sql<Date>`coalesce(write_pending_since, now())`,
    })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .where('standing', 'in', ['released', 'deleted'])
    .where((eb) => eb.or([eb('deletion', 'is', null), eb('deletion', '=', 'held')]))
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

/** The account is disabled. What was granted is still ours, and an operator may have decided about its deletion meanwhile. */
export async function recordDisabled(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  account: { readonly email: string; readonly externalId?: string; readonly roles: readonly string[] },
): Promise<void> {
  await update(trx, tenantId, userId, {
    observed_roles: [...account.roles],
    observed_at: sql<Date>`now()`,
    email: account.email,
    external_id: account.externalId ?? null,
    ...settled,
  })
}

/** What Campaign Manager was seen to hold after a reconciliation. */
export interface ObservedState {
  readonly campaignManagerId: string
  readonly granted: readonly string[]
  readonly roles: readonly string[]
  readonly foreign: readonly string[]
  readonly email: string
  readonly externalId: string | undefined
}

export async function recordObserved(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  state: ObservedState,
): Promise<void> {
  await update(trx, tenantId, userId, {
    campaign_manager_id: state.campaignManagerId,
    granted: [...state.granted],
    observed_roles: [...state.roles],
    foreign_roles: [...state.foreign],
    observed_at: sql<Date>`now()`,
    email: state.email,
    external_id: state.externalId ?? null,
    ...settled,
  })
}

export const recordLinked = (
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  campaignManagerId: string,
) => update(trx, tenantId, userId, { campaign_manager_id: campaignManagerId })

const settled = { create_key: null, write_pending_since: null }

/** Campaign Manager refused a write: it will not take effect, and its Idempotency-Key would bring that refusal again. */
export const recordRefused = (trx: Transaction<Database>, tenantId: number, userId: string) =>
  update(trx, tenantId, userId, settled)

/** There is no account, or none of ours. The row itself goes once the user is deleted: nothing is left to do for it. */
export async function recordAbsent(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<void> {
  await update(trx, tenantId, userId, {
    campaign_manager_id: null,
    granted: [],
    observed_roles: null,
    foreign_roles: [],
    observed_at: sql<Date>`now()`,
    email: null,
    external_id: null,
    deletion: null,
    enabled_before: null,
    ...settled,
  })
  await trx
    .deleteFrom('account')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .where('standing', '=', 'deleted')
    .execute()
}

async function update(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  values: UpdateObject<Database, 'account'>,
): Promise<void> {
  await trx
    .updateTable('account')
    .set(values)
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .execute()
}
