import type { Transaction, UpdateObject } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/** What is about to be written, recorded before it is: whatever happens then, the account can be found and told apart. */
export interface WriteIntent {
  readonly endpoint: string
  readonly campaignManagerId: string | undefined
  readonly granted: readonly string[]
  readonly placeholders: readonly string[]
  readonly email: string
  readonly externalId: string | undefined
  readonly createKey: string | undefined
  /** As the audit trail is to tell of it, should nobody come to say what became of it. */
  readonly untoldWrite: object
}

export async function recordIntent(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  intent: WriteIntent,
): Promise<void> {
  await update(trx, tenantId, userId, {
    endpoint: intent.endpoint,
    campaign_manager_id: intent.campaignManagerId ?? null,
    granted: [...intent.granted],
    placeholders: [...intent.placeholders],
    email: intent.email,
    external_id: intent.externalId ?? null,
    create_key: intent.createKey ?? null,
    deletion_asked: false,
    missing_since: null,
    // A creation names no version: what is waited for is the last that was sent.
    write_pending_since:
      intent.createKey === undefined ? sql<Date>`coalesce(write_pending_since, now())` : sql<Date>`now()`,
    untold_write: intent.untoldWrite,
  })
}

/**
 * The deletion of this account is about to be asked for. Whose it is is kept, however it was found: should the deletion be
 * refused, the account is looked for again.
 */
export const recordDeletionIntent = (
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  account: {
    readonly endpoint: string
    readonly campaignManagerId: string
    readonly untoldWrite: object
  },
) =>
  update(trx, tenantId, userId, {
    endpoint: account.endpoint,
    campaign_manager_id: account.campaignManagerId,
    create_key: null,
    deletion_asked: true,
    missing_since: null,
    write_pending_since: sql<Date>`coalesce(write_pending_since, now())`,
    untold_write: account.untoldWrite,
  })

/** How an account is that is about to be disabled instead of deleted. */
export interface HoldIntent {
  readonly endpoint: string
  readonly campaignManagerId: string
  readonly enabled: boolean
  /** Whether it may be enabled again, should its deletion be called off. */
  readonly mayBeEnabled: boolean
  /** Undefined when the account is disabled already. */
  readonly untoldWrite: object | undefined
}

/** Once held, what the account was before is known. False when it is not to be deleted any more, or has been decided about. */
export async function recordHoldIntent(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  { endpoint, campaignManagerId, enabled, mayBeEnabled, untoldWrite }: HoldIntent,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('account')
    .set({
      endpoint,
      campaign_manager_id: campaignManagerId,
      deletion: 'held',
      enabled_before: sql<boolean>`
        case when deletion = 'held' then enabled_before else ${enabled}::boolean end and ${mayBeEnabled}::boolean`,
      write_pending_since: sql<Date>`coalesce(write_pending_since, now())`,
      untold_write: untoldWrite ?? null,
    })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .where('standing', 'in', ['released', 'deleted'])
    .where((eb) => eb.or([eb('deletion', 'is', null), eb('deletion', '=', 'held')]))
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

/** The account is disabled. What was granted is still ours, and an operator may have decided about its deletion meanwhile. */
export async function recordDisabled(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  account: { readonly email: string; readonly externalId?: string; readonly roles: readonly string[] },
): Promise<void> {
  await update(trx, tenantId, userId, {
    observed_roles: [...account.roles],
    enabled: false,
    observed_at: sql<Date>`now()`,
    email: account.email,
    external_id: account.externalId ?? null,
    ...settled,
  })
}

/** What Campaign Manager was seen to hold after a reconciliation. */
export interface ObservedState {
  readonly endpoint: string
  readonly campaignManagerId: string
  readonly granted: readonly string[]
  readonly placeholders: readonly string[]
  readonly roles: readonly string[]
  readonly foreign: readonly string[]
  readonly enabled: boolean
  readonly email: string
  readonly externalId: string | undefined
}

export async function recordObserved(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  state: ObservedState,
): Promise<void> {
  await update(trx, tenantId, userId, {
    endpoint: state.endpoint,
    campaign_manager_id: state.campaignManagerId,
    granted: [...state.granted],
    placeholders: [...state.placeholders],
    observed_roles: [...state.roles],
    foreign_roles: [...state.foreign],
    enabled: state.enabled,
    observed_at: sql<Date>`now()`,
    email: state.email,
    external_id: state.externalId ?? null,
    ...settled,
  })
}

export const recordLinked = (
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  endpoint: string,
  campaignManagerId: string,
) => update(trx, tenantId, userId, { endpoint, campaign_manager_id: campaignManagerId })

/** The Idempotency-Key brings no new answer any more. That an account may have been created is not forgotten. */
export const recordSpentKey = (trx: Transaction<Database>, tenantId: number, userId: string) =>
  update(trx, tenantId, userId, {
    create_key: sql<string | null>`case when create_key is not null then gen_random_uuid() end`,
  })

/** A linked account was looked for and not found. */
export const recordMissing = (trx: Transaction<Database>, tenantId: number, userId: string) =>
  update(trx, tenantId, userId, { missing_since: sql<Date>`coalesce(missing_since, now())` })

/** It is there after all. */
export const recordFound = (trx: Transaction<Database>, tenantId: number, userId: string) =>
  update(trx, tenantId, userId, { missing_since: null })

/** The audit trail tells of the write. */
export const recordTold = (trx: Transaction<Database>, tenantId: number, userId: string) =>
  update(trx, tenantId, userId, { untold_write: null })

const settled = {
  create_key: null,
  write_pending_since: null,
  untold_write: null,
  deletion_asked: false,
  missing_since: null,
}

/**
 * Campaign Manager refused a write: it will not take effect, and its Idempotency-Key would bring that refusal again.
 *
 * @param known how the account is known, which the intent may have replaced by what it was to become
 */
export const recordRefused = (
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  known: { readonly email: string | undefined; readonly externalId: string | undefined },
) =>
  update(trx, tenantId, userId, {
    email: known.email ?? null,
    external_id: known.externalId ?? null,
    ...settled,
  })

/** There is no account, or none of ours. The row itself goes once the user is deleted: nothing is left to do for it. */
export async function recordAbsent(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<void> {
  await update(trx, tenantId, userId, {
    campaign_manager_id: null,
    granted: [],
    placeholders: [],
    observed_roles: null,
    foreign_roles: [],
    enabled: null,
    observed_at: sql<Date>`now()`,
    email: null,
    external_id: null,
    deletion: null,
    enabled_before: null,
    ...settled,
  })
  await trx
    .deleteFrom('account')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .where('standing', '=', 'deleted')
    .execute()
}

async function update(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  values: UpdateObject<Database, 'account'>,
): Promise<void> {
  await trx
    .updateTable('account')
    .set(values)
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .execute()
}
