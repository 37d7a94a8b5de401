import type { Kysely, Transaction } from 'kysely'
import type { ObservedAccount } from '../campaign-manager/messages.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import {
  recordAbsent,
  recordDisabled,
  recordFound,
  recordLinked,
  recordMissing,
  recordObserved,
  recordRefused,
  recordSpentKey,
  recordTold,
} from '../directory/account-writes.ts'
import { hastenHeirs } from '../directory/former-users.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import { type Claim, finishClaim, settleRemoval } from '../reconcile/dirty-set.ts'
import { hastenNeighbours } from '../reconcile/mark-users.ts'
import { placedRoles, type RoleTarget } from '../roles/role-rule.ts'
import { type AccountWrite, tellDone, tellFailed, tellInterrupted, tellLink } from './delivery-audit.ts'
import { whileHeld } from './held-claim.ts'

/** The reason of a user who waits because another one has the account. */
export const ACCOUNT_LINKED_ELSEWHERE = 'account_linked_elsewhere'
/** The reason of a user whose address is still that of another account. */
export const EMAIL_TAKEN = 'email_taken'

/** Records that the account is disabled. Somebody of the same identity may wait to take it over. */
export const recordHeld = (
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  { account }: ObservedAccount,
  write: AccountWrite | undefined,
): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    if (write) tellDone(trx, claim, write)
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

/** Records that a creation which was never answered did not take effect. */
export const forgetCreation = (db: Kysely<Database>, claim: Claim, record: AccountRecord): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordRefused(trx, claim.tenantId, claim.userId, record))

/** Records that the linked account was not found. */
export const noteMissing = (db: Kysely<Database>, claim: Claim): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordMissing(trx, claim.tenantId, claim.userId))

/** Records that the linked account was found, whatever the attempt comes to. */
export const noteFound = (db: Kysely<Database>, claim: Claim): Promise<boolean> =>
  whileHeld(db, claim, (trx) => recordFound(trx, claim.tenantId, claim.userId))

/** How a write failed: whether it may have been carried out all the same, and whether nothing else is pending then. */
export interface WriteFailure {
  readonly result: 'failed' | 'unknown'
  readonly reason: string
  readonly settles: boolean
}

export const recordFailed = (
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  write: AccountWrite,
  { result, reason, settles }: WriteFailure,
): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    if (settles) await recordRefused(trx, claim.tenantId, claim.userId, record)
    else await recordTold(trx, claim.tenantId, claim.userId)
    await tellFailed(trx, claim, write, result, reason)
  })

/** A write was answered with something else than was written: whose account it is is recorded, and the intent stands. */
export const recordNotApplied = (
  db: Kysely<Database>,
  claim: Claim,
  write: AccountWrite,
  campaignManagerId: string,
): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    await recordLinked(trx, claim.tenantId, claim.userId, claim.endpoint, campaignManagerId)
    await recordTold(trx, claim.tenantId, claim.userId)
    await tellFailed(trx, claim, { ...write, accountId: campaignManagerId }, 'failed', 'not_applied')
  })

/** Has the trail tell of a pending write of which it does not: its process died, or came too late to record anything. */
export async function recordInterrupted(
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
): Promise<void> {
  const { untoldWrite, writePendingSeconds } = record
  if (untoldWrite === undefined || writePendingSeconds === undefined) return
  await whileHeld(db, claim, async (trx) => {
    await recordTold(trx, claim.tenantId, claim.userId)
    tellInterrupted(trx, claim, untoldWrite as AccountWrite)
  })
}

/** What was seen of an account at the end of an attempt, and the write that made it so, if there was one. */
export interface Seen {
  readonly observed: ObservedAccount
  readonly rule: RoleTarget
  readonly write: AccountWrite | undefined
}

/** Records what the account holds, and leaves the user dirty. */
export const recordAccount = (
  db: Kysely<Database>,
  claim: Claim,
  before: AccountRecord,
  seen: Seen,
): Promise<boolean> =>
  whileHeld(db, claim, async (trx) => {
    await recordSeen(trx, claim, before, seen)
    await settleRemoval(trx, claim)
  })

/** Records what the account holds, and that nothing more is to be done unless something changed meanwhile. */
export async function finishObserved(
  db: Kysely<Database>,
  claim: Claim,
  before: AccountRecord,
  seen: Seen,
  outcome: 'unchanged' | 'created' | 'replaced',
): Promise<Attempt> {
  const held = await whileHeld(db, claim, async (trx) => {
    await recordSeen(trx, claim, before, seen)
    await finishClaim(trx, claim)
  })
  return held ? { kind: 'done', outcome } : { kind: 'lost' }
}

/** Records that there is no account of ours. */
export async function finishAbsent(
  db: Kysely<Database>,
  claim: Claim,
  before: AccountRecord,
  outcome: 'unchanged' | 'deleted' | 'released',
  write: AccountWrite | undefined,
): Promise<Attempt> {
  const held = await whileHeld(db, claim, async (trx) => {
    if (write) tellDone(trx, claim, write)
    else tellLink(trx, claim, before, undefined)
    await recordAbsent(trx, claim.tenantId, claim.userId)
    await finishClaim(trx, claim)
    // Whoever waited for an account to be given up may have waited for this one.
    await hastenNeighbours(trx, [ACCOUNT_LINKED_ELSEWHERE, EMAIL_TAKEN], claim.tenantId)
  })
  return held ? { kind: 'done', outcome } : { kind: 'lost' }
}

async function recordSeen(
  trx: Transaction<Database>,
  claim: Claim,
  before: AccountRecord,
  { observed, rule, write }: Seen,
): Promise<void> {
  if (write) {
    tellDone(trx, claim, write, observed.account.id)
    const givesAddressUp = write.operation !== 'account.create' && write.attributes.includes('email')
    if (givesAddressUp) await hastenNeighbours(trx, [EMAIL_TAKEN], claim.tenantId)
  } else tellLink(trx, claim, before, observed.account)
  await recordObserved(trx, claim.tenantId, claim.userId, {
    endpoint: claim.endpoint,
    campaignManagerId: observed.account.id,
    granted: [...rule.wanted, ...rule.kept],
    placeholders: placedRoles(rule),
    roles: observed.account.roles,
    foreign: rule.foreign,
    enabled: observed.account.enabled,
    email: observed.account.email,
    externalId: observed.account.externalId,
  })
}
