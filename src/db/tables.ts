import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

type Defaulted<T> = ColumnType<T, T | undefined, T>
/** bigint: the driver gives it as a string of digits. */
type BigInteger = ColumnType<string, string | number | undefined, string | number>
type Json = ColumnType<Record<string, unknown>, string, string>

export interface TenantTable {
  tenant_id: GeneratedAlways<number>
  name: string
  created_at: Generated<Date>
  disabled_at: ColumnType<Date | null, Date | null | undefined, Date | null>
  settings_version: Defaulted<number>
  campaign_manager_url: string | null
  campaign_manager_key: Buffer | null
  campaign_manager_key_id: string | null
  endpoint: GeneratedAlways<string>
  placeholder_role: string | null
  protected_roles: string[] | null
  unknown_role: 'reject' | 'hold' | null
  existing_accounts: 'link' | 'refuse' | null
  on_deactivate: 'ignore' | 'suspend' | null
  on_user_delete: 'delete' | 'release' | null
}

export interface ScimTokenTable {
  tenant_id: number
  token_id: string
  name: string
  secret_hash: Buffer
  created_at: Generated<Date>
  expires_at: Date | null
  revoked_at: Date | null
  access: Defaulted<'read' | 'write'>
  last_used_at: Generated<Date | null>
  rotated_at: Generated<Date | null>
  expiry_warned_days: Generated<number | null>
}

export interface OauthClientTable {
  tenant_id: number
  client_id: string
  name: string
  access: 'read' | 'write'
  federated_issuer: string | null
  federated_subject: string | null
  federated_audiences: string[] | null
  jwks_url: string | null
  created_at: Generated<Date>
  last_used_at: Generated<Date | null>
  revoked_at: Generated<Date | null>
}

export interface OauthClientSecretTable {
  tenant_id: number
  client_id: string
  secret_hash: Buffer
  created_at: Generated<Date>
  expires_at: Date
  last_used_at: Generated<Date | null>
  expiry_warned_days: Generated<number | null>
}

export interface OauthAccessTokenTable {
  tenant_id: number
  client_id: string
  token_hash: Buffer
  issued_at: Generated<Date>
  expires_at: Date
}

export interface EntraIssuerTable {
  tenant_id: number
  entra_tenant_id: string
  audience: string
  app_id: string
  created_at: Generated<Date>
}

export interface AccountTable {
  tenant_id: number
  user_id: string
  standing: 'awaiting' | 'assigned' | 'released' | 'deleted'
  campaign_manager_id: string | null
  endpoint: Defaulted<string>
  granted: Defaulted<string[]>
  placeholders: Defaulted<string[]>
  email: string | null
  external_id: string | null
  create_key: string | null
  write_pending_since: ColumnType<Date | null, Date | null | undefined, Date | null>
  deletion_asked: Defaulted<boolean>
  missing_since: ColumnType<Date | null, Date | null | undefined, Date | null>
  observed_roles: string[] | null
  foreign_roles: Defaulted<string[]>
  enabled: ColumnType<boolean | null, boolean | null | undefined, boolean | null>
  observed_at: ColumnType<Date | null, Date | null | undefined, Date | null>
  created_at: Generated<Date>
  deletion: ColumnType<DeletionState | null, DeletionState | null | undefined, DeletionState | null>
  enabled_before: ColumnType<boolean | null, boolean | null | undefined, boolean | null>
  untold_write: ColumnType<object | null, object | null | undefined, object | null>
}

/** What the deletion guard, or an operator, decided about an account that is to be deleted. */
export type DeletionState = 'held' | 'approved' | 'kept'

export interface AccountDeletionTable {
  tenant_id: number
  user_id: string
  begun_at: Defaulted<Date>
}

export interface DeletionHoldTable {
  tenant_id: number
  held_since: Generated<Date>
  deleted: number
  pending: number
  accounts: number
  deletes_foreign: boolean
}

/** The columns that users and groups have in common. */
export interface ResourceTable {
  tenant_id: number
  id: string
  position: GeneratedAlways<string>
  attributes: Json
  search: Json
  name_key: GeneratedAlways<string>
  external_id: GeneratedAlways<string | null>
  version: BigInteger
  created_at: Generated<Date>
  last_modified: Defaulted<Date>
}

export interface ScimUserTable extends ResourceTable {
  active: GeneratedAlways<boolean>
}

export interface GroupMemberTable {
  tenant_id: number
  group_id: string
  user_id: string
  joined: GeneratedAlways<string>
}

export interface DirtyUserTable {
  tenant_id: number
  user_id: string
  generation: BigInteger
  dirty_since: Generated<Date>
  not_before: Defaulted<Date>
  attempts: Defaulted<number>
  lease: string | null
  leased_until: Date | null
  failure: string | null
  failure_detail: string | null
  removal_since: ColumnType<Date | null, Date | null | undefined, Date | null>
  traceparents: string[] | null
  removal: GeneratedAlways<boolean>
  failed: GeneratedAlways<boolean>
}

/** One row for each Campaign Manager. */
export interface InventoryWalkTable {
  endpoint: Defaulted<string>
  singleton: ColumnType<boolean | null, boolean | null | undefined, never>
  due_at: Date
  lease: string | null
  leased_until: Date | null
  walk: string | null
  began: Date | null
  stage: 'pages' | 'missing' | 'strays' | null
  place: string | null
  steps: Defaulted<number>
}

export interface InventoryAccountTable {
  walk: string
  campaign_manager_id: string
  external_id: string | null
  linked: boolean
  seen_at: Generated<Date>
}

export interface DriftFindingTable {
  finding_id: GeneratedAlways<string>
  walk: string
  endpoint: Defaulted<string>
  tenant_id: number | null
  user_id: string | null
  campaign_manager_id: string | null
  kind: 'account_missing' | 'roles_missing' | 'roles_extra' | 'disabled' | 'edited' | 'orphan' | 'duplicate'
  detail: string
  found_at: Generated<Date>
}

export interface ServiceKeyTable {
  purpose: string
  key: Buffer
}

export interface DeclaredExtensionsTable {
  resource_type: 'User' | 'Group'
  declaration: string
}

export interface AuditEntryTable {
  tenant_id: number
  sequence: BigInteger
  at: Date
  actor: string
  request_id: string | null
  operation: string
  resource_type: string
  resource_id: string | null
  attributes: string[]
  wanted_roles: string[] | null
  observed_roles: string[] | null
  result: 'ok' | 'failed' | 'unknown'
  reason: string | null
  detail: Json
  previous_hash: Buffer
  hash: Buffer
}

export interface AuditSubjectTable {
  tenant_id: number
  sequence: BigInteger
  user_id: string
  effect: 'joined' | 'left' | 'concerned'
}

/** An entry's place and hash: the newest one, or the newest that was pruned. */
export interface AuditPlaceTable {
  tenant_id: number
  sequence: BigInteger
  hash: Buffer
}

export interface AuditHeadTable extends AuditPlaceTable {
  /** When a SCIM client last changed a user or a group; written by the service alone. */
  scim_write_at: ColumnType<Date | null, Date | undefined>
}

export interface AuditPersonTable {
  tenant_id: number
  user_id: string
  user_name: string
}

export interface Database {
  tenant: TenantTable
  scim_token: ScimTokenTable
  oauth_client: OauthClientTable
  oauth_client_secret: OauthClientSecretTable
  oauth_access_token: OauthAccessTokenTable
  entra_issuer: EntraIssuerTable
  account: AccountTable
  scim_user: ScimUserTable
  scim_group: ResourceTable
  group_member: GroupMemberTable
  dirty_user: DirtyUserTable
  inventory_walk: InventoryWalkTable
  inventory_account: InventoryAccountTable
  drift_finding: DriftFindingTable
  service_key: ServiceKeyTable
  declared_extensions: DeclaredExtensionsTable
  account_deletion: AccountDeletionTable
  deletion_hold: DeletionHoldTable
  audit_entry: AuditEntryTable
  audit_subject: AuditSubjectTable
  audit_head: AuditHeadTable
  audit_checkpoint: AuditPlaceTable
  audit_person: AuditPersonTable
}
