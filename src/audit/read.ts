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
  const takeSubjects = subjectsAfter(db, tenantId, after)
  for (let last = after; ; ) {
    const rows = await db
      .selectFrom('audit_entry')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('sequence', '>', String(last))
      .orderBy('sequence')
      .limit(BATCH)
      .execute()
    if (rows.length === 0) return
    for (const entry of rows.map(entryOf)) {
      last = entry.content.sequence
      yield { ...entry, subjects: await takeSubjects(last) }
    }
  }
}

/** How many users of entries are read at a time: one change of a large group may concern more. */
const SUBJECTS = 20_000

/** Gives the users of entries, which must be asked for in their order: no more of them are in memory than one entry has. */
function subjectsAfter(
  db: Kysely<Database>,
  tenantId: number,
  after: number,
): (sequence: number) => Promise<Subject[]> {
  let read: { sequence: number; subject: Subject }[] = []
  let next = 0
  let place = { sequence: after, userId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' }

  async function readOn(): Promise<boolean> {
    const { rows } = await sql<{ sequence: string; userId: string; effect: Subject['effect'] }>`
      select sequence, user_id as "userId", effect from audit_subject
      where tenant_id = ${tenantId} and (sequence, user_id) > (${place.sequence}::bigint, ${place.userId}::uuid)
      order by sequence, user_id limit ${SUBJECTS}`.execute(db)
    read = rows.map(({ sequence, ...subject }) => ({ sequence: Number(sequence), subject }))
    next = 0
    const last = read.at(-1)
    if (last) place = { sequence: last.sequence, userId: last.subject.userId }
    return read.length > 0
  }

  return async (sequence) => {
    const subjects: Subject[] = []
    for (;;) {
      const row = read[next]
      if (row === undefined) {
        if (!(await readOn())) return subjects
      } else if (row.sequence > sequence) return subjects
      else {
        next += 1
        // Those before it belong to no entry, or to one that is missing.
        if (row.sequence === sequence) subjects.push(row.subject)
      }
    }
  }
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
