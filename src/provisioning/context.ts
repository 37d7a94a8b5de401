import type { Kysely } from 'kysely'
import type { Author } from '../audit/entry.ts'
import type { Database } from '../db/tables.ts'
import type { ResourceStore } from '../directory/resources.ts'

/** On whose behalf a use case changes something. Both come from the credential, never from what the request says. */
export interface Caller extends Author {
  readonly tenantId: number
}

/** What every use case of the directory needs. The tenant comes from the credential, never from the request. */
export interface ProvisioningContext {
  readonly db: Kysely<Database>
  readonly users: ResourceStore
  readonly groups: ResourceStore
  /** Rejects a group's name that can stand for no role of the tenant's. Asks Campaign Manager, so it is called outside transactions. */
  readonly checkGroupName: (tenantId: number, displayName: string) => Promise<void>
  /** Called after a commit that left users dirty. */
  readonly onDirty: () => void
  readonly log: { warn(fields: object, message: string): void }
}
