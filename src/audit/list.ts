import { type Kysely, sql } from 'kysely'
import type { AuditEntryTable, Database } from '../db/tables.ts'
import type { Effect } from './entry.ts'
import { namesOf } from './person.ts'
import { entryOf, listHeads, type StoredEntry } from './read.ts'

/** Which entries to show. Times are compared with what the database reads out of the text. */
export interface AuditQuery {
  readonly tenant: string | undefined
  /** Entries about these users, and those about others that concern them. By tenant, because ids are. */
  readonly users: ((tenantId: number) => Promise<readonly string[]>) | undefined
  readonly group: string | undefined
  readonly since: Date | undefined
  readonly until: Date | undefined
  /** An operation, or the word before its dot. */
  readonly operation: string | undefined
  readonly limit: number
}

export interface ListedEntry extends StoredEntry {
  readonly tenant: string
  /** What it did to the user whose entries were asked for, if it is about something else. */
  readonly effect: Effect | undefined
  /** What the user it is about is called, as far as anybody knows, or what the group was called then. */
  readonly name: string | undefined
}

type Row = Parameters<typeof entryOf>[0] & { effect: Effect | null }

/** The newest entries that are asked for, oldest first. */
export async function listEntries(db: Kysely<Database>, query: AuditQuery): Promise<ListedEntry[]> {
  const found: ListedEntry[] = []
  for (const { tenantId, tenant } of await listHeads(db, query.tenant)) {
    const userIds = query.users && (await query.users(tenantId))
    if (userIds?.length === 0) continue
    const rows = await entriesOf(db, tenantId, query, userIds)
    const names = await namesIn(db, tenantId, rows)
    for (const row of rows) {
      const entry = entryOf(row)
      const name = groupNameIn(entry) ?? names.get(row.resource_id ?? '')
      found.push({ ...entry, tenant, effect: row.effect ?? undefined, name })
    }
  }
  return found.sort(inTime).slice(-query.limit)
}

const inTime = (a: ListedEntry, b: ListedEntry): number =>
  a.content.at === b.content.at
    ? a.content.tenantId - b.content.tenantId || a.content.sequence - b.content.sequence
    : a.content.at < b.content.at
      ? -1
      : 1

async function entriesOf(
  db: Kysely<Database>,
  tenantId: number,
  query: AuditQuery,
  userIds: readonly string[] | undefined,
): Promise<Row[]> {
  const { group, since, until, operation, limit } = query
  const conditions = [
    ...(userIds === undefined ? [] : [concerning(tenantId, userIds)]),
    ...(group === undefined ? [] : [sql`entry.resource_id = ${group} and entry.resource_type = 'Group'`]),
    ...(since === undefined ? [] : [sql`entry.at >= ${since}`]),
    ...(until === undefined ? [] : [sql`entry.at < ${until}`]),
    ...(operation === undefined
      ? []
      : [sql`(entry.operation = ${operation} or starts_with(entry.operation, ${`${operation}.`}))`]),
  ]
  const { rows } = await sql<Row>`
    select entry.*, ${effectOn(tenantId, userIds)} as effect
    from audit_entry as entry
    where entry.tenant_id = ${tenantId} ${sql.join(
      conditions.map((condition) => sql`and ${condition}`),
      sql` `,
    )}
    order by entry.sequence desc
    limit ${limit}`.execute(db)
  return rows
}

/** About the users, or about something else that concerns them: each side by an index of its own. */
const concerning = (tenantId: number, userIds: readonly string[]) => sql`
  entry.sequence in (
    select sequence from audit_entry where tenant_id = ${tenantId} and resource_id = any(${userIds}::text[])
    union all
    select sequence from audit_subject where tenant_id = ${tenantId} and user_id = any(${userIds}::uuid[])
  )`

const effectOn = (tenantId: number, userIds: readonly string[] = []) => sql`(
  select min(effect) from audit_subject
  where tenant_id = ${tenantId} and sequence = entry.sequence and user_id = any(${userIds}::uuid[])
)`

/** What a group was called then, where the entry says so. */
const groupNameIn = ({ content }: StoredEntry): string | undefined =>
  content.resourceType === 'Group' && typeof content.detail.role === 'string'
    ? content.detail.role
    : undefined

/** What users are called now or were last, and groups now. */
async function namesIn(
  db: Kysely<Database>,
  tenantId: number,
  rows: readonly Row[],
): Promise<Map<string, string>> {
  const idsOf = (...types: AuditEntryTable['resource_type'][]) =>
    rows.flatMap(({ resource_type, resource_id }) =>
      resource_id !== null && types.includes(resource_type) ? [resource_id] : [],
    )
  const names = await namesOf(db, tenantId, idsOf('User', 'Account'))
  const groups = await sql<{ id: string; name: string }>`
    select id, attributes ->> 'displayName' as name from scim_group
    where tenant_id = ${tenantId} and id = any(${idsOf('Group')}::uuid[])`.execute(db)
  for (const { id, name } of groups.rows) names.set(id, name)
  return names
}
