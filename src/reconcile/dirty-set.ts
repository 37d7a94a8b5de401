import { randomUUID } from 'node:crypto'
import type { Kysely, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { claimable, LANES, type LaneOrder } from './tenant-states.ts'

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
  /** For how long the user had been due. */
  readonly dueMs: number
  /** Of the traced requests that marked the user. */
  readonly traceparents: readonly string[]
  /** The version of the tenant's settings that the attempt goes by. */
  readonly settingsVersion: number
  /** The Campaign Manager that these settings name; '' is the shared one. */
  readonly endpoint: string
}

/** Why an attempt did not finish. */
export interface Failure {
  readonly reason: string
  /** A sentence for the operator, without e-mail addresses or secrets. */
  readonly detail: string
}

/**
 * Claims up to `limit` users that are due and that nobody holds: by lanes, and within a lane from each tenant in its turn.
 *
 * @param tenantIds the tenants to claim from; all that are served, when it is left out
 */
export async function claimDirty(
  db: Kysely<Database>,
  limit: number,
  order: LaneOrder = 'fresh',
  tenantIds?: readonly number[],
): Promise<Claim[]> {
  const lease = randomUUID()
  const asked = tenantIds === undefined ? sql`true` : sql`tenant_id = any(${tenantIds}::integer[])`
  // Each tenant's lane is one short range of the index, which a limit that the planner knows makes it use even on fresh rows.
  const lanes = LANES[order].map(
    (lane, index) => sql`${laneName(index)} as (
      select candidate.*, ${sql.lit(index)} as lane
      from served cross join lateral (
        select dirty_user.tenant_id, dirty_user.user_id, dirty_user.not_before from dirty_user
        ${claimable('served.tenant_id', lane)}
        limit ${limit}
        for update skip locked
      ) as candidate
    )`,
  )
  const candidates = LANES[order].map((_, index) => sql`select * from ${laneName(index)}`)
  const { rows } = await sql<{
    tenant_id: number
    user_id: string
    generation: string
    attempts: number
    due_ms: number
    traceparents: string[] | null
    settings_version: number
    endpoint: string
  }>`
    with served as materialized (
      select tenant_id, settings_version, endpoint from tenant where disabled_at is null and ${asked}
    ), ${sql.join(lanes)}, due as (
      select tenant_id, user_id from (
        select *, row_number() over (partition by lane, tenant_id order by not_before, user_id) as turn
        from (${sql.join(candidates, sql` union all `)}) as candidate
      ) as ranked
      order by lane, turn, not_before limit ${limit}
    )
    update dirty_user
    set lease = ${lease}, leased_until = now() + make_interval(secs => ${LEASE_SECONDS}),
        attempts = dirty_user.attempts + 1
    from due join served on served.tenant_id = due.tenant_id
    where dirty_user.tenant_id = due.tenant_id and dirty_user.user_id = due.user_id
    returning dirty_user.tenant_id, dirty_user.user_id, dirty_user.generation, dirty_user.attempts,
              extract(epoch from now() - dirty_user.not_before)::float8 * 1000 as due_ms,
              dirty_user.traceparents, served.settings_version, served.endpoint`.execute(db)
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    userId: row.user_id,
    generation: row.generation,
    lease,
    attempts: row.attempts - 1,
    dueMs: row.due_ms,
    traceparents: row.traceparents ?? [],
    settingsVersion: row.settings_version,
    endpoint: row.endpoint,
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
 * Locks a claimed user for the rest of the transaction and says whether the claim is still this process's and in time, and
 * about the Campaign Manager that the tenant has now. The account is locked first, as everywhere; whoever changes a tenant's
 * settings locks it too, so what is read of them after that holds. Nothing that a reconciliation learned may be recorded once
 * this is false.
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
    .where(
      sql<boolean>`exists (
        select from tenant
        where tenant.tenant_id = ${claim.tenantId} and tenant.endpoint = ${claim.endpoint})`,
    )
    .returning('generation')
    .executeTakeFirst()
  return row !== undefined
}

/** As `holdClaim`, for what is about to be written: it must also be what the tenant's settings of now ask for, and the tenant not disabled. */
export async function holdForWrite(trx: Transaction<Database>, claim: Claim): Promise<boolean> {
  if (!(await holdClaim(trx, claim))) return false
  const row = await trx
    .selectFrom('tenant')
    .select('settings_version')
    .where('tenant_id', '=', claim.tenantId)
    .where('settings_version', '=', claim.settingsVersion)
    .where('disabled_at', 'is', null)
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

/** Whether anybody of these tenants is due within so many seconds. */
export async function isAnybodyDueWithin(
  db: Kysely<Database>,
  seconds: number,
  tenantIds: readonly number[],
): Promise<boolean> {
  const { rows } = await sql`
    select from dirty_user
    where tenant_id = any(${tenantIds}::integer[]) and not_before <= now() + make_interval(secs => ${seconds})
    limit 1`.execute(db)
  return rows.length > 0
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
