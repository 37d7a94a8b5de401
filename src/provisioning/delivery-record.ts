import type { Kysely, Transaction } from 'kysely'
import type { AccountInput, ObservedAccount } from '../campaign-manager/messages.ts'
import { uniqueViolation } from '../db/errors.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import {
  type HoldIntent,
  recordAbsent,
  recordDeletionIntent,
  recordDisabled,
  recordHoldIntent,
  recordIntent,
  recordLinked,
  recordMissing,
  recordObserved,
  recordRefused,
  recordSpentKey,
} from '../directory/account-writes.ts'
import { recordDeletion, shareHold } from '../directory/deletion-holds.ts'
import { hastenHeirs } from '../directory/former-users.ts'
import { type Claim, finishClaim, holdClaim, settleRemoval } from '../reconcile/dirty-set.ts'
import { hastenWaiting } from '../reconcile/mark-users.ts'
import type { Attempt } from '../reconcile/worker.ts'
import { grantIntent, type RoleTarget } from '../roles/role-rule.ts'

/** The reason of a user who waits because another one has the account. */
export const ACCOUNT_LINKED_ELSEWHERE = 'account_linked_elsewhere'

/** The account that was found is already recorded for another SCIM user, and is never shared. */
export class AccountTakenError extends Error {
  override readonly name = 'AccountTakenError'
}

/** Records what is about to be written. False when the claim was lost, and then nothing may be written. */
export async function intendWrite(
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  input: AccountInput,
  rule: RoleTarget,
  target: { campaignManagerId?: string; createKey?: string },
): Promise<boolean> {
  return whileHeld(db, claim, (trx) =>
    recordIntent(trx, claim.tenantId, claim.userId, {
      campaignManagerId: target.campaignManagerId,
      createKey: target.createKey,
      granted: grantIntent(record.granted, rule.wanted),
      email: input.email,
      externalId: input.externalId,
    }),
  )
}

/**
 * Records that a deletion is about to be asked for. False when the claim was lost.
 *
 * @param counts whether the deletion guard is to count it
 */
export const intendDelete = (db: Kysely<Database>, claim: Claim, counts: boolean): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    await recordDeletionIntent(trx, claim.tenantId, claim.userId)
    if (counts) await recordDeletion(trx, claim.tenantId, claim.userId)
  })

/**
 * Records that an account is about to be disabled instead of deleted. `overtaken` when the hold has ended, or the account is
 * not to be deleted any more: then nothing may be written.
 */
export async function intendHold(
  db: Kysely<Database>,
  claim: Claim,
  intent: HoldIntent,
): Promise<'recorded' | 'overtaken' | 'lost'> {
  const { tenantId, userId } = claim
  return refusingTaken(db, async (trx) => {
    // Whoever ends a hold locks it first, and then the accounts.
    const isHold = await shareHold(trx, tenantId)
    if (!(await holdClaim(trx, claim))) return 'lost'
    return isHold && (await recordHoldIntent(trx, tenantId, userId, intent)) ? 'recorded' : 'overtaken'
  })
}

/** Records that the account is disabled. Somebody of the same identity may wait to take it over. */
export const recordHeld = (
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  { account }: ObservedAccount,
): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    await recordDisabled(trx, claim.tenantId, claim.userId, account)
    await settleRemoval(trx, claim)
    if (record.standing === 'deleted') {
      const { externalId, email } = account
      await hastenHeirs(trx, claim.tenantId, ACCOUNT_LINKED_ELSEWHERE, { externalId, email })
    }
  })

/** Has a creation whose answer is outstanding repeated under another key. */
export const spendKey = (db: Kysely<Database>, claim: Claim): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordSpentKey(trx, claim.tenantId, claim.userId))

/** Records that the linked account was not found. */
export const noteMissing = (db: Kysely<Database>, claim: Claim): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordMissing(trx, claim.tenantId, claim.userId))

export const settleRefused = (db: Kysely<Database>, claim: Claim): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordRefused(trx, claim.tenantId, claim.userId))

/** Records whose account it is, and lets the intent stand. */
export const recordLink = (db: Kysely<Database>, claim: Claim, campaignManagerId: string): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordLinked(trx, claim.tenantId, claim.userId, campaignManagerId))

/** Records what the account holds, and leaves the user dirty. */
export const recordAccount = (
  db: Kysely<Database>,
  claim: Claim,
  written: ObservedAccount,
  rule: RoleTarget,
): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    await record(trx, claim, written, rule)
    await settleRemoval(trx, claim)
  })

/** Records what the account holds, and that nothing more is to be done unless something changed meanwhile. */
export async function finishObserved(
  db: Kysely<Database>,
  claim: Claim,
  observed: ObservedAccount,
  rule: RoleTarget,
  outcome: 'unchanged' | 'created' | 'replaced',
): Promise<Attempt> {
  const held = await whileHeld(db, claim, async (trx) => {
    await record(trx, claim, observed, rule)
    await finishClaim(trx, claim)
  })
  return held ? { kind: 'done', outcome } : { kind: 'lost' }
}

/** Records that there is no account of ours. */
export async function finishAbsent(
  db: Kysely<Database>,
  claim: Claim,
  outcome: 'unchanged' | 'deleted' | 'released',
): Promise<Attempt> {
  const held = await whileHeld(db, claim, async (trx) => {
    await recordAbsent(trx, claim.tenantId, claim.userId)
    await finishClaim(trx, claim)
    // Whoever waited for an account to be given up may have waited for this one.
    await hastenWaiting(trx, ACCOUNT_LINKED_ELSEWHERE)
  })
  return held ? { kind: 'done', outcome } : { kind: 'lost' }
}

const record = (trx: Transaction<Database>, claim: Claim, observed: ObservedAccount, rule: RoleTarget) =>
  recordObserved(trx, claim.tenantId, claim.userId, {
    campaignManagerId: observed.account.id,
    granted: rule.wanted,
    roles: observed.account.roles,
    foreign: rule.foreign,
    email: observed.account.email,
    externalId: observed.account.externalId,
  })

/** Runs a record's transaction while the claim is this process's, and says whether it was. */
async function whileHeld(
  db: Kysely<Database>,
  claim: Claim,
  write: (trx: Transaction<Database>) => Promise<void>,
): Promise<boolean> {
  return refusingTaken(db, async (trx) => {
    if (!(await holdClaim(trx, claim))) return false
    await write(trx)
    return true
  })
}

/** A link that is another user's already is never recorded. */
async function refusingTaken<T>(
  db: Kysely<Database>,
  run: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  try {
    return await inTransaction(db, run)
  } catch (error) {
    if (uniqueViolation(error)) throw new AccountTakenError('account already linked', { cause: error })
    throw error
  }
}
