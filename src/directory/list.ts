import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import type { AttributePath, ResourceType } from '../scim/attribute.ts'
import type { Filter } from '../scim/filter.ts'
import { compileFilter } from './filter-sql.ts'
import type { Condition } from './leaf-sql.ts'
import type { Scope } from './place-sql.ts'
import { stored, tableOf } from './resources.ts'
import { isNumericKey, sortKey } from './sort-sql.ts'
import type { StoredResource } from './stored-resource.ts'

/** One type of resource among those that are searched. */
export interface ListTarget {
  readonly type: ResourceType
  readonly filter: Filter | undefined
  /** Undefined, too, where only another type has the attribute: then it has no value here. */
  readonly sortBy: AttributePath | undefined
}

export interface ListQuery {
  readonly targets: readonly ListTarget[]
  /** Undefined for the order of creation, which no change of a resource disturbs. */
  readonly sort: { readonly descending: boolean } | undefined
  /** What stands before `/Users/{id}` in a location. */
  readonly base: string
}

/** Where a resource stands in a list; whatever is inserted or deleted elsewhere does not move it. */
export interface ListPlace {
  /** The value that is sorted by, null where there is none. */
  readonly key: string | null
  /** Which of the targets it is, counted from 0. */
  readonly rank: number
  readonly position: string
}

export interface ListedResource {
  readonly type: ResourceType
  readonly resource: StoredResource
  readonly place: ListPlace
}

export async function countResources(
  db: Kysely<Database>,
  tenantId: number,
  query: ListQuery,
): Promise<number> {
  const counts = query.targets.map(
    (target) =>
      sql`(select count(*) from ${sql.table(tableOf(target.type))} where ${matching(tenantId, query, target)})`,
  )
  const { rows } = await sql<{ total: string }>`select ${sql.join(counts, sql` + `)} as total`.execute(db)
  return Number(rows[0]?.total)
}

/** So many resources from an offset, or after a place, on. */
export async function listResources(
  db: Kysely<Database>,
  tenantId: number,
  query: ListQuery,
  { limit, offset = 0, after }: { limit: number; offset?: number; after?: ListPlace | undefined },
): Promise<ListedResource[]> {
  const { targets, sort } = query
  const isNumeric = targets.every(({ sortBy }) => sortBy === undefined || isNumericKey(sortBy))
  const keyType = isNumeric ? sql`::numeric` : sql`::text collate "C"`
  const branches = targets.map((target, rank) => {
    const scope: Scope = { type: target.type, base: query.base }
    const key = sql`(${target.sortBy ? sortKey(scope, target.sortBy) : sql`null`})${keyType}`
    const behind = after ? isBehind(query, after, rank, key, keyType) : sql`true`
    return sql`select ${rank}::integer as rank, ${key} as key, id, attributes, version, created_at, last_modified, position
      from ${sql.table(tableOf(target.type))} where ${matching(tenantId, query, target)} and ${behind}`
  })
  const order = [
    ...(sort ? [sort.descending ? sql`key desc nulls first` : sql`key asc nulls last`] : []),
    ...(targets.length > 1 ? [sql`rank`] : []),
    sql`position`,
  ]
  const { rows } = await sql<Row>`select * from (${sql.join(branches, sql` union all `)}) as found
    order by ${sql.join(order)} limit ${limit} offset ${offset}`.execute(db)
  return rows.flatMap((row) => {
    const target = targets[row.rank]
    if (!target) return []
    return {
      type: target.type,
      resource: stored(row),
      place: { key: row.key, rank: row.rank, position: row.position },
    }
  })
}

type Row = Parameters<typeof stored>[0] & {
  readonly rank: number
  readonly key: string | null
  readonly position: string
}

function matching(tenantId: number, { base }: ListQuery, { type, filter }: ListTarget): Condition {
  const condition = filter ? compileFilter({ type, base }, filter) : sql<boolean>`true`
  return sql`tenant_id = ${tenantId} and ${condition}`
}

/** Whether a resource of that rank comes after the place, in the order of the list. */
function isBehind(
  { sort }: ListQuery,
  after: ListPlace,
  rank: number,
  key: RawBuilder<unknown>,
  keyType: RawBuilder<unknown>,
): Condition {
  const isLater: Condition =
    rank === after.rank ? sql`position > ${after.position}` : rank > after.rank ? sql`true` : sql`false`
  if (!sort) return isLater
  if (after.key === null) {
    // Those without a value come first in descending order, and last in ascending.
    const tied = sql<boolean>`(${key} is null and ${isLater})`
    return sort.descending ? sql`(${tied} or ${key} is not null)` : tied
  }
  const value = sql`${after.key}${keyType}`
  const tied = sql<boolean>`(${key} = ${value} and ${isLater})`
  return sort.descending
    ? sql`(${key} < ${value} or ${tied})`
    : sql`(${key} > ${value} or ${key} is null or ${tied})`
}
