import type { Kysely, Selectable, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database, ResourceTable } from '../db/tables.ts'
import type { Resource, ResourceType } from '../scim/attribute.ts'
import { foldResource } from '../scim/resource.ts'
import { isResourceId, type StoredResource } from './stored-resource.ts'

/** Where one type of resource is kept. */
export interface ResourceStore {
  readonly type: ResourceType
  insert(
    trx: Transaction<Database>,
    tenantId: number,
    id: string,
    attributes: Resource,
  ): Promise<StoredResource>
  find(db: Kysely<Database>, tenantId: number, id: string): Promise<StoredResource | undefined>
  /** Finds it and keeps others from changing it until the transaction ends. */
  lock(trx: Transaction<Database>, tenantId: number, id: string): Promise<StoredResource | undefined>
  update(
    trx: Transaction<Database>,
    tenantId: number,
    id: string,
    attributes: Resource,
  ): Promise<StoredResource>
  /** For resources of which a part kept elsewhere has changed, so that their version tells so. */
  touch(trx: Transaction<Database>, tenantId: number, ids: readonly string[]): Promise<void>
  delete(trx: Transaction<Database>, tenantId: number, id: string): Promise<void>
}

/** The table of a type of resource. The two have every column used here in common, which the types cannot express. */
export const tableOf = ({ name }: ResourceType): 'scim_group' =>
  (name === 'User' ? 'scim_user' : 'scim_group') as 'scim_group'

export function resourceStore(type: ResourceType): ResourceStore {
  const table = tableOf(type)

  const columns = (attributes: Resource) => ({
    attributes: JSON.stringify(attributes),
    search: JSON.stringify(foldResource(type, attributes)),
  })
  const one = (db: Kysely<Database>, tenantId: number, id: string) =>
    db.selectFrom(table).selectAll().where('tenant_id', '=', tenantId).where('id', '=', id)

  return {
    type,
    async insert(trx, tenantId, id, attributes) {
      const values = { tenant_id: tenantId, id, ...columns(attributes) }
      return stored(await trx.insertInto(table).values(values).returningAll().executeTakeFirstOrThrow())
    },
    async find(db, tenantId, id) {
      if (!isResourceId(id)) return undefined
      const row = await one(db, tenantId, id).executeTakeFirst()
      return row && stored(row)
    },
    async lock(trx, tenantId, id) {
      if (!isResourceId(id)) return undefined
      const row = await one(trx, tenantId, id).forNoKeyUpdate().executeTakeFirst()
      return row && stored(row)
    },
    async update(trx, tenantId, id, attributes) {
      const row = await trx
        .updateTable(table)
        .set({ ...columns(attributes), ...nextVersion })
        .where('tenant_id', '=', tenantId)
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow()
      return stored(row)
    },
    async touch(trx, tenantId, ids) {
      if (ids.length === 0) return
      await trx
        .updateTable(table)
        .set(nextVersion)
        .where('tenant_id', '=', tenantId)
        .where('id', 'in', ids)
        .execute()
    },
    async delete(trx, tenantId, id) {
      await trx.deleteFrom(table).where('tenant_id', '=', tenantId).where('id', '=', id).execute()
    },
  }
}

const nextVersion = { version: sql<string>`version + 1`, last_modified: sql<Date>`now()` }

export const stored = (
  row: Omit<Selectable<ResourceTable>, 'search' | 'tenant_id' | 'name_key' | 'external_id'>,
): StoredResource => ({
  id: row.id,
  attributes: row.attributes,
  version: row.version,
  created: row.created_at,
  lastModified: row.last_modified,
})
