import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

type Defaulted<T> = ColumnType<T, T | undefined, T>
/** bigint: the driver gives it as a string of digits. */
type BigInteger = ColumnType<string, string | number | undefined, string | number>
type Json = ColumnType<Record<string, unknown>, string, string>

export interface TenantTable {
  tenant_id: GeneratedAlways<number>
  name: string
  created_at: Generated<Date>
}

export interface ScimTokenTable {
  tenant_id: number
  token_id: string
  name: string
  secret_hash: Buffer
  created_at: Generated<Date>
  expires_at: Date | null
  revoked_at: Date | null
}

export interface AccountTable {
  tenant_id: number
  user_id: string
  standing: 'awaiting' | 'assigned' | 'released' | 'deleted'
  campaign_manager_id: string | null
  granted: Defaulted<string[]>
  email: string | null
  external_id: string | null
  create_key: string | null
  write_pending_since: ColumnType<Date | null, Date | null | undefined, Date | null>
  deletion_asked: Defaulted<boolean>
  missing_since: ColumnType<Date | null, Date | null | undefined, Date | null>
  observed_roles: string[] | null
  foreign_roles: Defaulted<string[]>
  observed_at: ColumnType<Date | null, Date | null | undefined, Date | null>
  created_at: Generated<Date>
  deletion: ColumnType<DeletionState | null, DeletionState | null | undefined, DeletionState | null>
  enabled_before: ColumnType<boolean | null, boolean | null | undefined, boolean | null>
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
  removal: GeneratedAlways<boolean>
  failed: GeneratedAlways<boolean>
}

/** One row. */
export interface InventoryWalkTable {
  singleton: Generated<boolean>
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

export interface Database {
  tenant: TenantTable
  scim_token: ScimTokenTable
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
}
