import type { Kysely, Selectable, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database, ResourceTable } from '../db/tables.ts'
import type { Resource, ResourceType } from '../scim/attribute.ts'
import type { Filter } from '../scim/filter.ts'
import { foldResource } from '../scim/resource.ts'
import { groupType, userType } from '../scim/resource-types.ts'
import { compileFilter } from './filter-sql.ts'
import { isResourceId, type StoredResource } from './stored-resource.ts'

/** Where one type of resource is kept. */
export interface ResourceStore {
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
  /** A page in the order of creation, which no change of a resource can disturb between two pages. */
  list(
    db: Kysely<Database>,
    tenantId: number,
    query: { filter: Filter | undefined; offset: number; limit: number },
  ): Promise<{ totalResults: number; resources: StoredResource[] }>
}

export const userStore = resourceStore(userType, 'scim_user')
export const groupStore = resourceStore(groupType, 'scim_group')

function resourceStore(type: ResourceType, tableName: 'scim_user' | 'scim_group'): ResourceStore {
  // The two tables have every column used here in common, which the query builder's types cannot express.
  const table = tableName as 'scim_group'

  const columns = (attributes: Resource) => ({
    attributes: JSON.stringify(attributes),
    search: JSON.stringify(foldResource(type, attributes)),
  })
  const one = (db: Kysely<Database>, tenantId: number, id: string) =>
    db.selectFrom(table).selectAll().where('tenant_id', '=', tenantId).where('id', '=', id)

  return {
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
    async list(db, tenantId, { filter, offset, limit }) {
      let matching = db.selectFrom(table).where('tenant_id', '=', tenantId)
      if (filter) matching = matching.where(compileFilter(type, filter))
      const { total } = await matching
        .select((eb) => eb.fn.countAll<string>().as('total'))
        .executeTakeFirstOrThrow()
      const totalResults = Number(total)
      if (limit === 0 || offset >= totalResults) return { totalResults, resources: [] }
      const rows = await matching.selectAll().orderBy('position').offset(offset).limit(limit).execute()
      return { totalResults, resources: rows.map(stored) }
    },
  }
}

const nextVersion = { version: sql<string>`version + 1`, last_modified: sql<Date>`now()` }

const stored = (row: Selectable<ResourceTable>): StoredResource => ({
  id: row.id,
  attributes: row.attributes,
  version: row.version,
  created: row.created_at,
  lastModified: row.last_modified,
})
