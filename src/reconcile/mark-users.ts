import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables.ts'
import { type MarkEvent, markChannel } from './watch-channels.ts'

/** How many requests are remembered for a user: those before fall out. */
const REMEMBERED_REQUESTS = 8

/**
 * Marks users as needing reconciliation, in the transaction that changes what they should have. A new change forgets
 * the back-off of an old one. The rows are written in the order of ids, so that two such transactions cannot deadlock.
 *
 * @param removals those of the users from whom the change takes access away: they are seen to first
 */
export async function markDirty(
  trx: Transaction<Database>,
  tenantId: number,
  userIds: readonly string[],
  removals: readonly string[] = [],
): Promise<void> {
  if (userIds.length === 0) return
  const losing = new Set(removals)
  const event: MarkEvent = {}
  markChannel.publish(event)
  const traceparents = event.traceparent === undefined ? null : [event.traceparent]
  await sql`
    insert into dirty_user (tenant_id, user_id, removal_since, traceparents)
    select ${tenantId}::integer, changed.id, case when changed.removal then now() end, ${traceparents}::text[]
    from unnest(${userIds}::uuid[], ${userIds.map((id) => losing.has(id))}::boolean[]) as changed (id, removal)
    order by changed.id
    on conflict (tenant_id, user_id) do update
      set generation = dirty_user.generation + 1, not_before = now(), attempts = 0,
          removal_since = coalesce(dirty_user.removal_since, excluded.removal_since),
          traceparents = (excluded.traceparents || dirty_user.traceparents)[1:${sql.lit(REMEMBERED_REQUESTS)}]`.execute(
    trx,
  )
}

/**
 * Marks every user of every tenant. Work that is already waiting is left as it is. Accounts are locked while they are
 * marked, because one that is finished at that moment is gone.
 */
export async function markEveryone(db: Kysely<Database>): Promise<number> {
  const { numAffectedRows } = await sql`
    insert into dirty_user (tenant_id, user_id)
    select tenant_id, user_id from account order by tenant_id, user_id for no key update
    on conflict do nothing`.execute(db)
  return Number(numAffectedRows)
}

export interface FoundUser {
  readonly tenantId: number
  readonly userId: string
  /** Somebody has access who should not. */
  readonly removal: boolean
}

/**
 * Marks users whose account was found other than it should be, unless they are dirty already or have been reconciled
 * since: both have work under way, of which that may have been a glimpse. Returns the keys of those it marked.
 *
 * @param since the database's time before Campaign Manager was asked
 */
export async function markFound(
  trx: Transaction<Database>,
  users: readonly FoundUser[],
  since: string,
): Promise<Set<string>> {
  if (users.length === 0) return new Set()
  const { rows } = await sql<{ tenant_id: number; user_id: string }>`
    with found as (
      select tenant_id, user_id, bool_or(removal) as removal
      from unnest(
        ${users.map(({ tenantId }) => tenantId)}::integer[],
        ${users.map(({ userId }) => userId)}::uuid[],
        ${users.map(({ removal }) => removal)}::boolean[]
      ) as found (tenant_id, user_id, removal)
      group by tenant_id, user_id
    ), locked as (
      select account.tenant_id, account.user_id, found.removal
      from account join found on found.tenant_id = account.tenant_id and found.user_id = account.user_id
      where account.observed_at is null or account.observed_at <= ${since}::timestamptz
      order by account.tenant_id, account.user_id
      for no key update of account
    )
    insert into dirty_user (tenant_id, user_id, removal_since)
    select tenant_id, user_id, case when removal then now() end from locked
    on conflict do nothing
    returning tenant_id, user_id`.execute(trx)
  return new Set(rows.map((row) => `${row.tenant_id}/${row.user_id}`))
}

/**
 * Makes those of these tenants due at once who wait for this reason, and returns how many. One that is being worked on counts
 * as changed, and is looked at anew.
 */
export async function hastenWaiting(
  trx: Transaction<Database>,
  reason: string,
  tenantIds: readonly number[],
): Promise<number> {
  const { numAffectedRows } = await sql`
    update dirty_user set not_before = now(), generation = generation + 1
    where (tenant_id, user_id) in (
      select tenant_id, user_id from dirty_user
      where failure = ${reason} and tenant_id = any(${tenantIds}::integer[]) for update skip locked
    )`.execute(trx)
  return Number(numAffectedRows)
}

/** As `hastenWaiting`, for any of the reasons, and for the tenants whose accounts are in the same Campaign Manager as this one's. */
export async function hastenNeighbours(
  trx: Transaction<Database>,
  reasons: readonly string[],
  tenantId: number,
): Promise<void> {
  await sql`
    update dirty_user set not_before = now(), generation = generation + 1
    where (tenant_id, user_id) in (
      select tenant_id, user_id from dirty_user
      where failure = any(${reasons}::text[]) and tenant_id in (
        select neighbour.tenant_id from tenant join tenant as neighbour on neighbour.endpoint = tenant.endpoint
        where tenant.tenant_id = ${tenantId}
      ) for update skip locked
    )`.execute(trx)
}

/**
 * Makes those due at once who failed or wait: whatever they wait for may have come about.
 *
 * @param endpoint whose tenants; all, when it is left out
 */
export async function retryFailing(trx: Transaction<Database>, endpoint?: string): Promise<void> {
  await sql`
    update dirty_user set not_before = now()
    where (tenant_id, user_id) in (
      select tenant_id, user_id from dirty_user
      where failure is not null and lease is null and not_before > now()
        and (${endpoint ?? null}::text is null
             or tenant_id in (select tenant_id from tenant where tenant.endpoint = ${endpoint ?? null}))
      for update skip locked
    )`.execute(trx)
}

/** Whether users of these tenants wait for one of these reasons. */
export async function isAnybodyWaiting(
  db: Kysely<Database>,
  reasons: readonly string[],
  tenantIds: readonly number[],
): Promise<boolean> {
  const { rows } = await sql`
    select from dirty_user
    where failure = any(${reasons}::text[]) and tenant_id = any(${tenantIds}::integer[]) limit 1`.execute(db)
  return rows.length > 0
}
