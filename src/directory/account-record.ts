import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { AccountTable, Database, DeletionState } from '../db/tables.ts'
import type { Resource } from '../scim/attribute.ts'

/** All that the directory knows about one user's account, read at one moment. */
export interface AccountRecord {
  readonly standing: AccountTable['standing']
  readonly campaignManagerId: string | undefined
  /** The Campaign Manager that the account's id, or the creation under way, is about. */
  readonly endpoint: string
  readonly granted: readonly string[]
  /** Placeholders this service put, or may have put, on the account. */
  readonly placeholders: readonly string[]
  /** What the account was last written with, or may have been. */
  readonly email: string | undefined
  readonly externalId: string | undefined
  readonly createKey: string | undefined
  /** For how long a write may have been under way of which nobody knows what became. */
  readonly writePendingSeconds: number | undefined
  /** Whether a deletion was asked for that nobody knows to have failed. */
  readonly deletionAsked: boolean
  /** For how long a linked account has not been found. */
  readonly missingSeconds: number | undefined
  /** What the account held when it was last seen. */
  readonly observedRoles: readonly string[] | undefined
  /** Whether it was enabled then; undefined where that was not recorded yet. */
  readonly enabled: boolean | undefined
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
  /** A write that was begun and of which the audit trail does not tell, as it is to be told of. */
  readonly untoldWrite: object | undefined
}

/** A row of `recordColumns`. */
export interface RecordRow {
  standing: AccountTable['standing']
  campaign_manager_id: string | null
  endpoint: string
  granted: string[]
  placeholders: string[]
  email: string | null
  external_id: string | null
  create_key: string | null
  pending_seconds: number | null
  missing_seconds: number | null
  deletion_asked: boolean
  observed_roles: string[] | null
  enabled: boolean | null
  attributes: Resource | null
  group_names: string[]
  drift_counted: boolean
  deletion: DeletionState | null
  enabled_before: boolean | null
  untold_write: object | null
}

/** For a statement that joins `account` and, left, `scim_user`: one, so that everything is of one moment. */
export const recordColumns = sql.raw(`
  account.standing, account.campaign_manager_id, account.endpoint, account.granted, account.placeholders,
  account.email, account.external_id,
  account.create_key, extract(epoch from now() - account.write_pending_since)::float8 as pending_seconds,
  extract(epoch from now() - account.missing_since)::float8 as missing_seconds,
  account.observed_roles, account.enabled, account.deletion_asked, account.deletion, account.enabled_before,
  account.untold_write, scim_user.attributes,
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
  endpoint: row.endpoint,
  granted: row.granted,
  placeholders: row.placeholders,
  email: row.email ?? undefined,
  externalId: row.external_id ?? undefined,
  createKey: row.create_key ?? undefined,
  writePendingSeconds: row.pending_seconds ?? undefined,
  deletionAsked: row.deletion_asked,
  missingSeconds: row.missing_seconds ?? undefined,
  observedRoles: row.observed_roles ?? undefined,
  enabled: row.enabled ?? undefined,
  user: row.attributes ?? undefined,
  groupNames: row.group_names,
  driftCounted: row.drift_counted,
  deletion: row.deletion ?? undefined,
  enabledBefore: row.enabled_before ?? undefined,
  untoldWrite: row.untold_write ?? undefined,
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
