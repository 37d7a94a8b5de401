import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables.ts'

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

/** Makes those due at once who failed or wait: whatever they wait for may have come about. */
export async function retryFailing(trx: Transaction<Database>): Promise<void> {
  await sql`
    update dirty_user set not_before = now()
    where (tenant_id, user_id) in (
      select tenant_id, user_id from dirty_user
      where failure is not null and lease is null and not_before > now()
      for update skip locked
    )`.execute(trx)
}
