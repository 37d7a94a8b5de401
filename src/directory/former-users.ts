import type { Kysely, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { fold } from '../scim/fold.ts'

/** What somebody who is created anew is known by. */
export interface Identity {
  readonly externalId: string | undefined
  readonly email: string | undefined
}

/** A deleted user whose account is there all the same: its deletion is held or was called off. */
const leftBehind = sql<boolean>`
  standing = 'deleted' and deletion in ('held', 'kept') and campaign_manager_id is not null`

/**
 * The former user of the same external id, within the tenant; or, if that one had none, of the same address. An address alone
 * proves nothing about somebody who was known by another external id: it may have been given to a new colleague.
 */
export async function findFormerUser(
  db: Kysely<Database>,
  tenantId: number,
  { externalId, email }: Identity,
): Promise<string | undefined> {
  const { rows } = await sql<{ user_id: string }>`
    select user_id from account
    where tenant_id = ${tenantId} and ${leftBehind}
      and endpoint = (select tenant.endpoint from tenant where tenant.tenant_id = ${tenantId})
      and (
        external_id = ${externalId ?? null}
        or (lower(email) = lower(${email ?? null}::text) and coalesce(external_id, user_id::text) = user_id::text)
      )
    order by external_id is not distinct from ${externalId ?? null} desc, user_id
    limit 1`.execute(db)
  return rows[0]?.user_id
}

/** Makes a former user's account the new one's, both being locked, and forgets the former. False when it is gone. */
export async function passAccountOn(
  trx: Transaction<Database>,
  tenantId: number,
  formerUserId: string,
  userId: string,
): Promise<boolean> {
  const former = await trx
    .deleteFrom('account')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', formerUserId)
    .where(leftBehind)
    .returning([
      'campaign_manager_id',
      'endpoint',
      'granted',
      'placeholders',
      'email',
      'external_id',
      'write_pending_since',
      'untold_write',
      'observed_roles',
      'enabled',
      'foreign_roles',
      'observed_at',
    ])
    .executeTakeFirst()
  if (!former) return false
  await trx
    .updateTable('account')
    .set(former)
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .execute()
  return true
}

/** Makes those due at once who wait, for this reason, for the account of such a former user. */
export async function hastenHeirs(
  trx: Transaction<Database>,
  tenantId: number,
  reason: string,
  { externalId, email }: Identity,
): Promise<void> {
  const address = email === undefined ? null : fold(email)
  await sql`
    update dirty_user set not_before = now(), generation = generation + 1
    where (tenant_id, user_id) in (
      select waiting.tenant_id, waiting.user_id
      from dirty_user as waiting
      join scim_user on scim_user.tenant_id = waiting.tenant_id and scim_user.id = waiting.user_id
      where waiting.tenant_id = ${tenantId} and waiting.failure = ${reason}
        and (
          scim_user.external_id = ${externalId ?? null}
          or scim_user.name_key = ${address}
          or scim_user.search @> jsonb_build_object('emails', jsonb_build_array(jsonb_build_object('value', ${address}::text)))
        )
      for update of waiting skip locked
    )`.execute(trx)
}
