import { type Kysely, type Selectable, sql } from 'kysely'
import type { AuditEntryTable, Database } from '../db/tables.ts'
import type { EntryContent, Subject } from './canonical.ts'

/** An entry as it is kept. */
export interface StoredEntry {
  readonly content: EntryContent
  readonly previousHash: Buffer
  readonly hash: Buffer
}

/** Where a chain stands, or begins. */
export interface Place {
  readonly sequence: number
  readonly hash: Buffer
}

export const entryOf = (row: Selectable<AuditEntryTable>): StoredEntry => ({
  content: {
    actor: row.actor,
    at: row.at.toISOString(),
    attributes: row.attributes,
    detail: row.detail,
    observedRoles: row.observed_roles,
    operation: row.operation,
    reason: row.reason,
    requestId: row.request_id,
    resourceId: row.resource_id,
    resourceType: row.resource_type,
    result: row.result,
    sequence: Number(row.sequence),
    tenantId: row.tenant_id,
    wantedRoles: row.wanted_roles,
  },
  previousHash: row.previous_hash,
  hash: row.hash,
})

/** How many entries are in memory at a time. */
const BATCH = 500

export interface ReadEntry extends StoredEntry {
  readonly subjects: readonly Subject[]
}

/** All entries of a tenant after a place, in their order, each with the users it concerns. */
export async function* readEntries(
  db: Kysely<Database>,
  tenantId: number,
  after: number,
): AsyncGenerator<ReadEntry> {
  for (let last = after; ; ) {
    const rows = await db
      .selectFrom('audit_entry')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('sequence', '>', String(last))
      .orderBy('sequence')
      .limit(BATCH)
      .execute()
    const entries = rows.map(entryOf)
    const newest = entries.at(-1)
    if (!newest) return
    const subjects = await readSubjects(db, tenantId, last, newest.content.sequence)
    for (const entry of entries) yield { ...entry, subjects: subjects.get(entry.content.sequence) ?? [] }
    last = newest.content.sequence
  }
}

async function readSubjects(
  db: Kysely<Database>,
  tenantId: number,
  after: number,
  through: number,
): Promise<Map<number, Subject[]>> {
  const rows = await db
    .selectFrom('audit_subject')
    .select(['sequence', 'user_id as userId', 'effect'])
    .where('tenant_id', '=', tenantId)
    .where('sequence', '>', String(after))
    .where('sequence', '<=', String(through))
    .orderBy('sequence')
    .orderBy('user_id')
    .execute()
  const subjects = new Map<number, Subject[]>()
  for (const { sequence, ...subject } of rows) {
    const ofEntry = subjects.get(Number(sequence))
    if (ofEntry) ofEntry.push(subject)
    else subjects.set(Number(sequence), [subject])
  }
  return subjects
}

const placeOf = (row: { sequence: string; hash: Buffer } | undefined): Place | undefined =>
  row && { sequence: Number(row.sequence), hash: row.hash }

/** The newest entry that was pruned, on which the rest follows. */
export const readCheckpoint = async (db: Kysely<Database>, tenantId: number): Promise<Place | undefined> =>
  placeOf(await placeIn(db, 'audit_checkpoint', tenantId))

export const readHead = async (db: Kysely<Database>, tenantId: number): Promise<Place | undefined> =>
  placeOf(await placeIn(db, 'audit_head', tenantId))

const placeIn = (db: Kysely<Database>, table: 'audit_head' | 'audit_checkpoint', tenantId: number) =>
  db.selectFrom(table).select(['sequence', 'hash']).where('tenant_id', '=', tenantId).executeTakeFirst()

export interface TenantTrail extends Place {
  readonly tenantId: number
  /** The id as text, once the tenant itself is gone. */
  readonly tenant: string
}

/** The tenants that have a trail, or should: also those of which only entries are left. */
export async function listTrails(db: Kysely<Database>): Promise<{ tenantId: number; tenant: string }[]> {
  const { rows } = await sql<{ tenantId: number; tenant: string }>`
    with recursive told as (
      select min(tenant_id) as tenant_id from audit_entry
      union
      select (select min(tenant_id) from audit_entry where audit_entry.tenant_id > told.tenant_id)
      from told where told.tenant_id is not null
    ), trail as (
      select tenant_id from told where tenant_id is not null
      union select tenant_id from audit_head
      union select tenant_id from audit_checkpoint
      union select tenant_id from tenant
    )
    select tenant_id as "tenantId", coalesce(tenant.name, tenant_id::text) as tenant
    from trail left join tenant using (tenant_id)
    order by tenant_id`.execute(db)
  return rows
}

/** The tenants of which anything was told, with the newest entry of each. */
export async function listHeads(db: Kysely<Database>, tenant?: string): Promise<TenantTrail[]> {
  const { rows } = await sql<{ tenantId: number; tenant: string; sequence: string; hash: Buffer }>`
    select tenant_id as "tenantId", coalesce(tenant.name, tenant_id::text) as tenant, sequence, hash
    from audit_head left join tenant using (tenant_id)
    where ${tenant ?? null}::text is null or coalesce(tenant.name, tenant_id::text) = ${tenant ?? null}
    order by tenant_id`.execute(db)
  return rows.map((row) => ({ ...row, sequence: Number(row.sequence) }))
}
