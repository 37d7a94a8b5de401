import { randomUUID } from 'node:crypto'
import type { Kysely, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/**
 * How long a claim lasts without a sign of life. After a process dies, its users wait this long at most; a live one
 * renews its claims several times within it.
 */
export const LEASE_SECONDS = 60

/** A user that this process, and no other, may reconcile. */
export interface Claim {
  readonly tenantId: number
  readonly userId: string
  /** The generation of changes that was current when the user was claimed. */
  readonly generation: string
  readonly lease: string
  /** Attempts before this one since the last change. */
  readonly attempts: number
}

/** Why an attempt did not finish. */
export interface Failure {
  readonly reason: string
  /** A sentence for the operator, without e-mail addresses or secrets. */
  readonly detail: string
}

interface Lane {
  readonly removal: boolean
  readonly failed: boolean
}

const lane = (removal: boolean, failed: boolean): Lane => ({ removal, failed })

/**
 * In what order users are claimed. Most of the time those that never failed come first, so that no number of accounts that
 * cannot be mended keeps a new change waiting; now and then those that failed do, so that no number of new changes keeps them
 * waiting. Either way removals come before grants.
 */
const LANES: Readonly<Record<'fresh' | 'failed', readonly Lane[]>> = {
  fresh: [lane(true, false), lane(false, false), lane(true, true), lane(false, true)],
  failed: [lane(true, true), lane(true, false), lane(false, true), lane(false, false)],
}

/** Claims up to `limit` users that are due and that nobody holds. */
export async function claimDirty(
  db: Kysely<Database>,
  limit: number,
  first: keyof typeof LANES = 'fresh',
): Promise<Claim[]> {
  const lease = randomUUID()
  // Each lane is one short range of the index, which a limit that the planner knows makes it use even on fresh rows.
  const lanes = LANES[first].map(
    ({ removal, failed }, index) => sql`${laneName(index)} as (
      select tenant_id, user_id, ${sql.lit(index)} as lane from dirty_user
      where removal = ${sql.lit(removal)} and failed = ${sql.lit(failed)}
        and not_before <= now() and (leased_until is null or leased_until < now())
      order by not_before, user_id
      limit ${limit}
      for update skip locked
    )`,
  )
  const due = LANES[first].map((_, index) => sql`select * from ${laneName(index)}`)
  const { rows } = await sql<{
    tenant_id: number
    user_id: string
    generation: string
    attempts: number
  }>`
    with ${sql.join(lanes)}, due as (
      ${sql.join(due, sql` union all `)} order by lane limit ${limit}
    )
    update dirty_user
    set lease = ${lease}, leased_until = now() + make_interval(secs => ${LEASE_SECONDS}),
        attempts = dirty_user.attempts + 1
    from due
    where dirty_user.tenant_id = due.tenant_id and dirty_user.user_id = due.user_id
    returning dirty_user.tenant_id, dirty_user.user_id, dirty_user.generation, dirty_user.attempts`.execute(
    db,
  )
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    userId: row.user_id,
    generation: row.generation,
    lease,
    attempts: row.attempts - 1,
  }))
}

const laneName = (index: number) => sql.raw(`lane_${index}`)

/** Prolongs claims, as far as they are still held. A row that somebody has locked is left for the next time. */
export async function renewClaims(db: Kysely<Database>, claims: readonly Claim[]): Promise<void> {
  if (claims.length === 0) return
  await sql`
    with held as (
      select dirty_user.tenant_id, dirty_user.user_id
      from dirty_user
      join unnest(
      ${claims.map((c) => c.tenantId)}::integer[], ${claims.map((c) => c.userId)}::uuid[], ${claims.map((c) => c.lease)}::uuid[]
      ) as claim (tenant_id, user_id, lease) using (tenant_id, user_id, lease)
      order by dirty_user.tenant_id, dirty_user.user_id
      for update of dirty_user skip locked
    )
    update dirty_user set leased_until = now() + make_interval(secs => ${LEASE_SECONDS})
    from held
    where dirty_user.tenant_id = held.tenant_id and dirty_user.user_id = held.user_id`.execute(db)
}

/**
 * Locks a claimed user for the rest of the transaction and says whether the claim is still this process's and in time.
 * The account is locked first, as everywhere. Nothing that a reconciliation learned may be recorded once this is false.
 */
export async function holdClaim(trx: Transaction<Database>, claim: Claim): Promise<boolean> {
  await trx
    .selectFrom('account')
    .select('user_id')
    .where('tenant_id', '=', claim.tenantId)
    .where('user_id', '=', claim.userId)
    .forNoKeyUpdate()
    .execute()
  const row = await dirtyRow(trx, claim)
    .set({ leased_until: sql<Date>`now() + make_interval(secs => ${LEASE_SECONDS})` })
    .where('leased_until', '>', sql<Date>`now()`)
    .returning('generation')
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Ends a reconciliation. The user is clean only if nothing changed since it was claimed; else it is due again at once.
 * Returns whether it is clean.
 */
export async function finishClaim(trx: Transaction<Database>, claim: Claim): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('dirty_user')
    .where('tenant_id', '=', claim.tenantId)
    .where('user_id', '=', claim.userId)
    .where('lease', '=', claim.lease)
    .where('generation', '=', claim.generation)
    .executeTakeFirstOrThrow()
  if (numDeletedRows > 0n) return true
  await releaseClaim(trx, claim)
  await trx
    .updateTable('dirty_user')
    .set({ failure: null, failure_detail: null })
    .where('tenant_id', '=', claim.tenantId)
    .where('user_id', '=', claim.userId)
    .execute()
  return false
}

/** Gives a user back unfinished and without a verdict, to be taken up again at once. */
export async function releaseClaim(db: Kysely<Database>, claim: Claim): Promise<void> {
  await dirtyRow(db, claim)
    .set({
      lease: null,
      leased_until: null,
      not_before: sql<Date>`now()`,
      attempts: sql<number>`case when generation = ${claim.generation} then ${claim.attempts} else 0 end`,
    })
    .execute()
}

/** Gives a user back to be tried again later. A change that came in between makes it due at once. */
export async function postponeClaim(
  db: Kysely<Database>,
  claim: Claim,
  failure: Failure,
  delayMs: number,
): Promise<void> {
  await dirtyRow(db, claim)
    .set({
      lease: null,
      leased_until: null,
      failure: failure.reason,
      failure_detail: failure.detail,
      not_before: sql<Date>`case when generation = ${claim.generation}
        then now() + make_interval(secs => ${delayMs / 1000}) else now() end`,
    })
    .execute()
}

/** Whether anybody is working on the user; locks that for the rest of the transaction. */
export async function isClaimed(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<boolean> {
  const row = await trx
    .selectFrom('dirty_user')
    .select(sql<boolean>`coalesce(leased_until > now(), false)`.as('leased'))
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .forUpdate()
    .executeTakeFirst()
  return row?.leased === true
}

const dirtyRow = (db: Kysely<Database>, claim: Claim) =>
  db
    .updateTable('dirty_user')
    .where('tenant_id', '=', claim.tenantId)
    .where('user_id', '=', claim.userId)
    .where('lease', '=', claim.lease)

/** The account was seen to give no more than it should. What is left to do takes nothing away, unless something changed since. */
export async function settleRemoval(trx: Transaction<Database>, claim: Claim): Promise<void> {
  await dirtyRow(trx, claim).set({ removal_since: null }).where('generation', '=', claim.generation).execute()
}
