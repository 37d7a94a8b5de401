import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database, DeletionState } from '../db/tables.ts'
import { joinUserNames, knownUserName } from '../db/user-name.ts'

/** How much is being deleted of a tenant, and of how much. */
export interface DeletionFigures {
  /** Accounts of which the deletion was begun within the window. */
  readonly deleted: number
  /** Accounts beside these that are still to be deleted. */
  readonly pending: number
  /** Accounts there are, with those deleted within the window. */
  readonly accounts: number
}

export interface DeletionHold extends DeletionFigures {
  readonly tenant: string
  readonly heldSince: Date
  /** Accounts that are disabled instead of deleted. */
  readonly disabled: number
  /** Accounts that are still to be disabled, or to be deleted otherwise. */
  readonly waiting: number
}

/** How deletions are counted. */
export interface DeletionCounting {
  readonly windowMinutes: number
  /** Whether an account goes with its deleted user although it holds roles that are not ours. */
  readonly deletesForeign: boolean
}

/** Whether the account of a dirty user would be deleted, as far as can be told before Campaign Manager is asked. */
const wouldBeDeleted = (deletesForeign: RawBuilder<unknown>) => sql`
  account.standing in ('released', 'deleted') and account.campaign_manager_id is not null
  and (account.foreign_roles = '{}' or account.standing = 'deleted' and ${deletesForeign})
  and (account.deletion is null or account.deletion = 'held')`

/** Whether a hold is about an account: it is disabled, or is still to be. */
const isHeldOrDue = (deletesForeign: RawBuilder<unknown>) => sql`(
  account.deletion = 'held'
  or ${wouldBeDeleted(deletesForeign)} and exists (
    select from dirty_user
    where dirty_user.tenant_id = account.tenant_id and dirty_user.user_id = account.user_id
  )
)`

/** Whether deletions of this tenant are held; one look-up by key. */
export async function isHeld(db: Kysely<Database>, tenantId: number): Promise<boolean> {
  const hold = await db
    .selectFrom('deletion_hold')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst()
  return hold !== undefined
}

/** Keeps a hold that is there from being ended before the transaction ends. False when there is none. */
export async function shareHold(trx: Transaction<Database>, tenantId: number): Promise<boolean> {
  const hold = await trx
    .selectFrom('deletion_hold')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .forKeyShare()
    .executeTakeFirst()
  return hold !== undefined
}

/** Remembers that a deletion was begun, whatever becomes of it. */
export async function recordDeletion(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<void> {
  await trx
    .insertInto('account_deletion')
    .values({ tenant_id: tenantId, user_id: userId })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id']).doUpdateSet({ begun_at: sql<Date>`now()` }),
    )
    .execute()
}

/** Counts, and forgets the deletions that are out of the window. Reads the tenant's whole backlog: not for every user. */
export async function measureDeletions(
  db: Kysely<Database>,
  tenantId: number,
  { windowMinutes, deletesForeign }: DeletionCounting,
): Promise<DeletionFigures> {
  const begin = sql`now() - make_interval(mins => ${windowMinutes})`
  await sql`
    delete from account_deletion
    where (tenant_id, user_id) in (
      select tenant_id, user_id from account_deletion
      where tenant_id = ${tenantId} and begun_at <= ${begin}
      for update skip locked
    )`.execute(db)
  const { rows } = await sql<DeletionFigures>`
    with recent as (
      select account_deletion.user_id, account.campaign_manager_id is not null as linked
      from account_deletion left join account using (tenant_id, user_id)
      where account_deletion.tenant_id = ${tenantId} and account_deletion.begun_at > ${begin}
    )
    select
      (select count(*) from recent)::integer as deleted,
      (
        select count(*) from dirty_user join account using (tenant_id, user_id)
        where tenant_id = ${tenantId} and ${wouldBeDeleted(sql`${deletesForeign}::boolean`)}
          and user_id not in (select user_id from recent)
      )::integer as pending,
      (
        (select count(*) from account where tenant_id = ${tenantId} and campaign_manager_id is not null)
        + (select count(*) from recent where not linked)
      )::integer as accounts`.execute(db)
  return rows[0] ?? { deleted: 0, pending: 0, accounts: 0 }
}

/** Serialises whoever begins and ends the holds of a tenant. To be taken first of all locks. */
async function lockTenant(trx: Transaction<Database>, tenantId: number): Promise<void> {
  await trx
    .selectFrom('tenant')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .forNoKeyUpdate()
    .execute()
}

/**
 * Holds the tenant's deletions if they still are too many. Counted anew under the lock: an operator may have decided about
 * them since.
 */
export async function beginHold(
  trx: Transaction<Database>,
  tenantId: number,
  counting: DeletionCounting,
  areTooMany: (figures: DeletionFigures) => boolean,
): Promise<'begun' | 'held before' | 'not needed'> {
  await lockTenant(trx, tenantId)
  if (await isHeld(trx, tenantId)) return 'held before'
  const figures = await measureDeletions(trx, tenantId, counting)
  if (!areTooMany(figures)) return 'not needed'
  await trx
    .insertInto('deletion_hold')
    .values({ tenant_id: tenantId, ...figures, deletes_foreign: counting.deletesForeign })
    .execute()
  return 'begun'
}

/**
 * Ends a hold with a decision about every account that it holds or was about to, and returns whose they are, locked.
 * Undefined when there is no hold. What was deleted so far does not count any more.
 */
export async function endHold(
  trx: Transaction<Database>,
  tenantId: number,
  decision: Exclude<DeletionState, 'held'>,
): Promise<string[] | undefined> {
  await lockTenant(trx, tenantId)
  const hold = await trx
    .deleteFrom('deletion_hold')
    .where('tenant_id', '=', tenantId)
    .returning('deletes_foreign')
    .executeTakeFirst()
  if (!hold) return undefined
  await trx.deleteFrom('account_deletion').where('tenant_id', '=', tenantId).execute()
  // Locked by a statement of its own, in the order of ids, as everywhere.
  const { rows } = await sql<{ user_id: string }>`
    select account.user_id from account
    where account.tenant_id = ${tenantId} and ${isHeldOrDue(sql`${hold.deletes_foreign}::boolean`)}
    order by account.user_id
    for no key update`.execute(trx)
  const userIds = rows.map((row) => row.user_id)
  await trx
    .updateTable('account')
    .set({ deletion: decision })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', sql<string>`any(${userIds}::uuid[])`)
    .execute()
  return userIds
}

/** The holds there are, of one tenant or of all. */
export async function listHolds(db: Kysely<Database>, tenant: string | undefined): Promise<DeletionHold[]> {
  const { rows } = await sql<DeletionHold>`
    select tenant.name as tenant, hold.held_since as "heldSince", hold.deleted, hold.pending, hold.accounts,
      (
        select count(*) from account where account.tenant_id = hold.tenant_id and account.deletion = 'held'
      )::integer as disabled,
      (
        select count(*) from dirty_user join account using (tenant_id, user_id)
        where tenant_id = hold.tenant_id and ${wouldBeDeleted(sql`hold.deletes_foreign`)}
          and account.deletion is null
      )::integer as waiting
    from deletion_hold as hold join tenant using (tenant_id)
    where ${tenant ?? null}::text is null or tenant.name = ${tenant ?? null}
    order by tenant_id`.execute(db)
  return rows
}

/** An account that is held, or about to be. */
export interface HeldAccount {
  readonly tenant: string
  readonly userId: string
  /** The last one, of somebody who is deleted; null once that was erased. */
  readonly userName: string | null
  readonly accountId: string
  readonly disabled: boolean
}

/** The accounts that the holds of one tenant, or of all, are about. */
export async function listHeldAccounts(
  db: Kysely<Database>,
  tenant: string | undefined,
): Promise<HeldAccount[]> {
  const { rows } = await sql<HeldAccount>`
    select tenant.name as tenant, account.user_id as "userId", ${knownUserName} as "userName",
      account.campaign_manager_id as "accountId", account.deletion is not null as disabled
    from deletion_hold as hold
    join tenant using (tenant_id)
    join account using (tenant_id)
    ${joinUserNames(sql`account`)}
    where (${tenant ?? null}::text is null or tenant.name = ${tenant ?? null})
      and ${isHeldOrDue(sql`hold.deletes_foreign`)}
    order by hold.tenant_id, "userName", account.user_id`.execute(db)
  return rows
}

/** Accounts that are disabled because their deletion is held. */
export async function countHeld(db: Kysely<Database>): Promise<number> {
  const { count } = await db
    .selectFrom('account')
    .where('deletion', '=', 'held')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
