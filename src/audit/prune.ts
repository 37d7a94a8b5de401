import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Author } from './entry.ts'
import { listHeads } from './read.ts'
import { recordAudit } from './record.ts'

/** How many entries one transaction takes away, at most. */
const BATCH = 5000
/** How many users of entries one statement takes away: those of a few large groups alone would take longer than a query may. */
const SUBJECTS = 100_000

/**
 * Takes away the entries older than so many days, and says how many. What is left still verifies: the newest entry that went is
 * kept as the place on which the rest follows, and the trail tells of it. Names of users who are gone, and of whom nothing is
 * told any more, go too.
 */
export async function pruneAudit(
  db: Kysely<Database>,
  author: Author,
  { olderThanDays, tenant }: { olderThanDays: number; tenant?: string | undefined },
): Promise<number> {
  let total = 0
  for (const { tenantId } of await listHeads(db, tenant)) {
    let ofTenant = 0
    for (;;) {
      const pruned = await inTransaction(db, (trx) => pruneBatch(trx, author, tenantId, olderThanDays))
      ofTenant += pruned
      if (pruned < BATCH) break
    }
    if (ofTenant > 0) await inTransaction(db, (trx) => forgetStrangers(trx, tenantId))
    total += ofTenant
  }
  return total
}

async function pruneBatch(
  trx: Transaction<Database>,
  author: Author,
  tenantId: number,
  olderThanDays: number,
): Promise<number> {
  // One at a time, of whatever process; the one who waited sees what is left.
  await sql`select pg_advisory_xact_lock(hashtextextended('audit prune', ${tenantId}))`.execute(trx)
  const { rows } = await sql<{ sequence: string; hash: Buffer; entries: string }>`
    with oldest as (
      select sequence, hash, at, operation from audit_entry where tenant_id = ${tenantId} order by sequence limit ${BATCH}
    ), kept as (
      select min(sequence) as sequence from oldest where at >= now() - make_interval(days => ${olderThanDays})
    ), old as (
      select oldest.sequence, oldest.hash, oldest.operation from oldest, kept where oldest.sequence < kept.sequence is not false
    )
    select sequence, hash, (select count(*) from old) as entries from old
    -- What tells of a pruning alone is left for the next time, lest each makes another.
    where exists (select from old where operation <> 'audit.prune')
    order by sequence desc limit 1`.execute(trx)
  const [through] = rows
  if (!through) return 0
  await sql`select set_config('audit.pruning', 'on', true)`.execute(trx)
  while ((await deleteSubjects(trx, tenantId, through.sequence)) === SUBJECTS);
  await trx
    .deleteFrom('audit_entry')
    .where('tenant_id', '=', tenantId)
    .where('sequence', '<=', through.sequence)
    .execute()
  await sql`select set_config('audit.pruning', '', true)`.execute(trx)
  await trx
    .insertInto('audit_checkpoint')
    .values({ tenant_id: tenantId, sequence: through.sequence, hash: through.hash })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet({ sequence: through.sequence, hash: through.hash }),
    )
    .execute()
  recordAudit(trx, tenantId, author, {
    operation: 'audit.prune',
    resourceType: 'Tenant',
    resourceId: String(tenantId),
    detail: {
      throughSequence: Number(through.sequence),
      throughHash: through.hash.toString('hex'),
      entries: Number(through.entries),
    },
  })
  return Number(through.entries)
}

async function deleteSubjects(
  trx: Transaction<Database>,
  tenantId: number,
  through: string,
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from audit_subject where (tenant_id, sequence, user_id) in (
      select tenant_id, sequence, user_id from audit_subject
      where tenant_id = ${tenantId} and sequence <= ${through}
      order by sequence, user_id limit ${SUBJECTS}
    )`.execute(trx)
  return Number(numAffectedRows)
}

async function forgetStrangers(trx: Transaction<Database>, tenantId: number): Promise<void> {
  await sql`
    delete from audit_person
    where tenant_id = ${tenantId}
      and not exists (select from scim_user where scim_user.tenant_id = ${tenantId} and scim_user.id = user_id)
      and not exists (select from account where account.tenant_id = ${tenantId} and account.user_id = audit_person.user_id)
      and not exists (
        select from audit_entry
        where audit_entry.tenant_id = ${tenantId} and audit_entry.resource_id = audit_person.user_id::text
      )
      and not exists (
        select from audit_subject
        where audit_subject.tenant_id = ${tenantId} and audit_subject.user_id = audit_person.user_id
      )`.execute(trx)
}
