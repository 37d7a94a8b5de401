import type { Account } from '../campaign-manager/messages.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import { sameRoles } from '../roles/role-rule.ts'
import type { Replacement } from './plan-account.ts'

// What one look at Campaign Manager proves, and what it does not.

/**
 * Whether an account that looks right is right. A write that is still on its way names the version that was read before it:
 * writing once more makes that version a past one, so that it cannot take effect later and undo what is right now. And where
 * what is read is not what was seen last, it may lag behind; then it names a past version itself, so that the write finds out.
 */
export const isSure = (record: AccountRecord, plan: Replacement): boolean =>
  isAsSeen(record, plan.observed.account) && !forgetsRole(record, plan)

/** Whether no write is on its way, and the account is shown as it was seen last. */
export const isAsSeen = (
  { writePendingSeconds, observedRoles, enabled, email }: AccountRecord,
  account: Account,
): boolean =>
  writePendingSeconds === undefined &&
  observedRoles !== undefined &&
  sameRoles(observedRoles, account.roles) &&
  (enabled ?? account.enabled) === account.enabled &&
  email !== undefined &&
  isSameAddress(email, account.email)

/**
 * Whether a role that we gave, or may have given, and that is wanted no more, is gone although no write of ours that was seen
 * to succeed took it away.
 */
const forgetsRole = ({ granted, placeholders }: AccountRecord, { observed, rule }: Replacement): boolean =>
  [...granted, ...placeholders].some(
    (role) => !rule.wanted.includes(role) && !observed.account.roles.includes(role),
  )

/**
 * An account that was linked and is not to be found is believed to be gone after so long, even if its deletion was asked for:
 * only the answer to that says so at once. What is read may lag behind for a while.
 */
const MISSING_SECONDS = 10

export const isMissing = ({ campaignManagerId, missingSeconds = 0 }: AccountRecord): boolean =>
  campaignManagerId !== undefined && missingSeconds < MISSING_SECONDS

/**
 * For so long, a creation that was never answered may still take effect. Until then a user who needs no account any more is
 * not let go, and none is made at another address.
 */
const UNSETTLED_SECONDS = 600

export const isUnsettled = ({ createKey, writePendingSeconds = UNSETTLED_SECONDS }: AccountRecord): boolean =>
  createKey !== undefined && writePendingSeconds < UNSETTLED_SECONDS

export const isSameAddress = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
