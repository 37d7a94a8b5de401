import { type Insertable, sql, type Transaction } from 'kysely'
import type { AuditEntryTable, Database } from '../db/tables.ts'
import { beforeCommit } from '../db/transaction.ts'
import { boundedIds } from './bounded-ids.ts'
import {
  digestSubjects,
  type EntryContent,
  FIRST_HASH,
  hashEntry,
  type Subject,
  storable,
} from './canonical.ts'
import type { AuditEvent, Author, Effect } from './entry.ts'

/** What a transaction will have told of when it commits, by tenant. */
type Pending = Map<number, { author: Author; event: AuditEvent }[]>

const pendings = new WeakMap<Transaction<Database>, Pending>()

/**
 * Tells of something that this transaction does: the entry comes to be if and only if the transaction commits. It is written
 * just before, so that the lock on the tenant's newest entry is held for no longer than that, and is the last to be taken:
 * whoever holds it waits for nobody.
 */
export function recordAudit(
  trx: Transaction<Database>,
  tenantId: number,
  author: Author,
  event: AuditEvent,
): void {
  const pending = pendings.get(trx) ?? begin(trx)
  const ofTenant = pending.get(tenantId)
  if (ofTenant) ofTenant.push({ author, event })
  else pending.set(tenantId, [{ author, event }])
}

function begin(trx: Transaction<Database>): Pending {
  const pending: Pending = new Map()
  beforeCommit(trx, async () => {
    for (const tenantId of [...pending.keys()].sort((a, b) => a - b)) {
      await append(trx, tenantId, pending.get(tenantId) ?? [])
    }
  })
  pendings.set(trx, pending)
  return pending
}

async function append(
  trx: Transaction<Database>,
  tenantId: number,
  events: readonly { author: Author; event: AuditEvent }[],
): Promise<void> {
  const entries: Insertable<AuditEntryTable>[] = []
  const subjects: (Subject & { sequence: number })[] = []
  // Before the lock: digesting the members of a large group takes its time.
  const prepared = events.map(({ author, event }) => {
    const subjects = subjectsOf(event)
    return { subjects, content: contentOf(author, event, subjects) }
  })
  const head = await lockHead(trx, tenantId)
  let { sequence, hash } = head
  for (const { content: told, subjects: concerned } of prepared) {
    sequence += 1
    const content: EntryContent = {
      ...told,
      tenantId,
      sequence,
      at: head.at.toISOString(),
    }
    const previous = hash
    hash = hashEntry(previous, content)
    entries.push(rowOf(content, head.at, previous, hash))
    for (const subject of concerned) subjects.push({ ...subject, sequence })
  }
  await insertSubjects(trx, tenantId, subjects)
  await trx
    .with('entry', (db) => db.insertInto('audit_entry').values(entries))
    .updateTable('audit_head')
    .set({ sequence, hash, ...(events.some(isScimWrite) && { scim_write_at: head.at }) })
    .where('tenant_id', '=', tenantId)
    .execute()
}

/** Nobody else changes users and groups. */
const isScimWrite = ({ event }: { event: AuditEvent }): boolean =>
  event.resourceType === 'User' || event.resourceType === 'Group'

interface Head {
  readonly sequence: number
  readonly hash: Buffer
  readonly at: Date
}

/** A process that freezes from here on must not keep all others of the tenant waiting: Postgres ends its transaction. */
const PATIENCE = '15s'

async function lockHead(trx: Transaction<Database>, tenantId: number): Promise<Head> {
  const lock = async () => {
    // The time is that after the lock was had, so that the times of a chain are in its order.
    const { rows } = await sql<{ sequence: string; hash: Buffer; at: Date }>`
      with head as materialized (
        select sequence, hash from audit_head where tenant_id = ${tenantId} for no key update
      )
      select sequence, hash, date_trunc('milliseconds', clock_timestamp()) as at,
        set_config('idle_in_transaction_session_timeout', ${PATIENCE}, true)
      from head`.execute(trx)
    return rows[0] && { ...rows[0], sequence: Number(rows[0].sequence) }
  }
  const head = await lock()
  if (head) return head
  await trx
    .insertInto('audit_head')
    .values({ tenant_id: tenantId, sequence: 0, hash: FIRST_HASH })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const begun = await lock()
  if (!begun) throw new Error('the head of the audit trail cannot be had')
  return begun
}

function contentOf(
  { actor, requestId }: Author,
  event: AuditEvent,
  subjects: readonly Subject[],
): Omit<EntryContent, 'tenantId' | 'sequence' | 'at'> {
  return storable({
    actor,
    requestId: requestId ?? null,
    operation: event.operation,
    resourceType: event.resourceType,
    resourceId: event.resourceId ?? null,
    attributes: event.attributes ?? [],
    wantedRoles: event.wantedRoles ?? null,
    observedRoles: event.observedRoles ?? null,
    result: event.result ?? 'ok',
    reason: event.reason ?? null,
    detail: { ...known(event.detail ?? {}), ...subjectDetail(subjects) },
  })
}

const known = (detail: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(detail).filter(([, value]) => value !== undefined))

function subjectDetail(subjects: readonly Subject[]): Record<string, unknown> {
  if (subjects.length === 0) return {}
  const detail: Record<string, unknown> = { subjectsDigest: digestSubjects(subjects) }
  for (const effect of ['joined', 'left', 'concerned'] as const) {
    const ids = subjects.filter((subject) => subject.effect === effect).map(({ userId }) => userId)
    if (ids.length > 0) detail[effect] = boundedIds(ids)
  }
  return detail
}

/** Each user once. */
function subjectsOf({ subjects = {} }: AuditEvent): Subject[] {
  const effects = new Map<string, Effect>()
  for (const effect of ['concerned', 'left', 'joined'] as const) {
    for (const userId of subjects[effect] ?? []) effects.set(userId.toLowerCase(), effect)
  }
  return [...effects].map(([userId, effect]) => ({ userId, effect }))
}

const rowOf = (content: EntryContent, at: Date, previous: Buffer, hash: Buffer) => ({
  tenant_id: content.tenantId,
  sequence: content.sequence,
  at,
  actor: content.actor,
  request_id: content.requestId,
  operation: content.operation,
  resource_type: content.resourceType,
  resource_id: content.resourceId,
  attributes: [...content.attributes],
  wanted_roles: content.wantedRoles && [...content.wantedRoles],
  observed_roles: content.observedRoles && [...content.observedRoles],
  result: content.result as AuditEntryTable['result'],
  reason: content.reason,
  detail: JSON.stringify(content.detail),
  previous_hash: previous,
  hash,
})

async function insertSubjects(
  trx: Transaction<Database>,
  tenantId: number,
  subjects: readonly (Subject & { sequence: number })[],
): Promise<void> {
  if (subjects.length === 0) return
  await sql`
    insert into audit_subject (tenant_id, sequence, user_id, effect)
    select ${tenantId}::integer, subject.*
    from unnest(
      ${subjects.map(({ sequence }) => sequence)}::bigint[],
      ${subjects.map(({ userId }) => userId)}::uuid[],
      ${subjects.map(({ effect }) => effect)}::text[]
    ) as subject`.execute(trx)
}
