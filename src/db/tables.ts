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
  observed_roles: string[] | null
  foreign_roles: Defaulted<string[]>
  observed_at: ColumnType<Date | null, Date | null | undefined, Date | null>
  created_at: Generated<Date>
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
  removal: Defaulted<boolean>
  failed: GeneratedAlways<boolean>
}

export interface DutyTable {
  tenant_id: number
  name: 'resync'
  next_run_at: Date
}

export interface ServiceKeyTable {
  purpose: string
  key: Buffer
}

export interface Database {
  tenant: TenantTable
  scim_token: ScimTokenTable
  account: AccountTable
  scim_user: ScimUserTable
  scim_group: ResourceTable
  group_member: GroupMemberTable
  dirty_user: DirtyUserTable
  duty: DutyTable
  service_key: ServiceKeyTable
}
