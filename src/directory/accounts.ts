import type { Kysely, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/**
 * Locks the accounts of users, which is how every change that concerns a user is serialised: always in the order of
 * ids, and after the groups of the same transaction. Returns the users that still exist.
 */
export async function lockAccounts(
  trx: Transaction<Database>,
  tenantId: number,
  userIds: readonly string[],
): Promise<Set<string>> {
  if (userIds.length === 0) return new Set()
  const rows = await trx
    .selectFrom('account')
    .select(['user_id', 'standing'])
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', sql<string>`any(${userIds}::uuid[])`)
    .orderBy('user_id')
    .forNoKeyUpdate()
    .execute()
  return new Set(rows.filter((row) => row.standing !== 'deleted').map((row) => row.user_id))
}

export async function insertAccount(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<void> {
  await trx
    .insertInto('account')
    .values({ tenant_id: tenantId, user_id: userId, standing: 'awaiting' })
    .execute()
}

/**
 * Brings the standing of users in line with their memberships: anybody in a group is assigned; who was assigned and is
 * in none any more is released; who never was in one goes on waiting.
 */
export async function refreshStanding(
  trx: Transaction<Database>,
  tenantId: number,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return
  // Without a join, whose plan would be a matter of how many users the planner believes that there are.
  await sql`
    update account
    set standing = case when standing = 'assigned' then 'released' else 'assigned' end,
        deletion = null, enabled_before = null
    where tenant_id = ${tenantId} and user_id = any(${userIds}::uuid[])
      and standing <> 'deleted'
      and (standing = 'assigned') <> exists (
        select from group_member
        where group_member.tenant_id = account.tenant_id and group_member.user_id = account.user_id
      )`.execute(trx)
}

/** A released user who is reactivated waits for a group anew, with the placeholder; any other standing stays. */
export async function awaitAgain(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<void> {
  await trx
    .updateTable('account')
    .set({ standing: 'awaiting', deletion: null, enabled_before: null })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .where('standing', '=', 'released')
    .execute()
}

/** A deletion that was held stays held, and one that was approved approved; one that was called off is asked for anew. */
export async function markDeleted(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<void> {
  await trx
    .updateTable('account')
    .set({ standing: 'deleted', deletion: sql`nullif(deletion, 'kept')` })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .execute()
}

/**
 * Users whom Entra has deactivated and whose account can be used all the same.
 *
 * @param onDeactivate what is done about them in tenants that have no policy of their own
 */
export async function countInactiveWithAccess(
  db: Kysely<Database>,
  onDeactivate: OnDeactivate,
): Promise<number> {
  const { count } = await inactive(db)
    .where((eb) =>
      eb.or([
        eb(policy(onDeactivate), '=', 'ignore'),
        isUnsuspended,
        // Its access is to be taken away, and has not been yet.
        eb.exists(
          eb
            .selectFrom('dirty_user')
            .select('dirty_user.user_id')
            .whereRef('dirty_user.tenant_id', '=', 'account.tenant_id')
            .whereRef('dirty_user.user_id', '=', 'account.user_id')
            .where('dirty_user.removal_since', 'is not', null),
        ),
      ]),
    )
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Those whose account is to be suspended and is not, as far as is known. */
export const listUnsuspended = (
  db: Kysely<Database>,
  onDeactivate: OnDeactivate,
): Promise<{ tenantId: number; userId: string }[]> =>
  inactive(db)
    .where(policy(onDeactivate), '=', 'suspend')
    .where(isUnsuspended)
    .select(['account.tenant_id as tenantId', 'account.user_id as userId'])
    .execute()

type OnDeactivate = 'ignore' | 'suspend'

const policy = (ofAll: OnDeactivate) => sql<OnDeactivate>`coalesce(tenant.on_deactivate, ${ofAll})`

/** What is left to somebody who is in no group any more is not suspended. */
const isUnsuspended = sql<boolean>`
  (account.enabled is distinct from false and account.standing in ('awaiting', 'assigned'))`

const inactive = (db: Kysely<Database>) =>
  db
    .selectFrom('account')
    .innerJoin('scim_user', (join) =>
      join
        .onRef('scim_user.tenant_id', '=', 'account.tenant_id')
        .onRef('scim_user.id', '=', 'account.user_id'),
    )
    .innerJoin('tenant', 'tenant.tenant_id', 'account.tenant_id')
    .where(sql<boolean>`not scim_user.active`)
    .where('account.campaign_manager_id', 'is not', null)
    .where('account.deletion', 'is distinct from', 'held')

export async function countByStanding(db: Kysely<Database>): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('account')
    .select(['standing', (eb) => eb.fn.countAll<string>().as('count')])
    .groupBy('standing')
    .execute()
  return new Map(rows.map((row) => [row.standing, Number(row.count)]))
}
