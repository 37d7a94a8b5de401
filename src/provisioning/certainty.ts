import {
  type Account,
  type AccountInput,
  isSameAddress,
  type ObservedAccount,
} from '../campaign-manager/messages.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import { sameRoles } from '../roles/role-rule.ts'
import { holds } from './plan-account.ts'

// What one look at Campaign Manager proves, and what it does not.

/** A write that was refused because the account had changed since it was read. */
export interface Overtaken {
  readonly accountId: string
  readonly input: AccountInput
  readonly etag: string | undefined
}

/**
 * Whether no write is on its way, and the account is shown as it was seen last. A write on its way names the version that was
 * read before it: writing once more makes that version a past one, so that it cannot take effect later and undo what is right
 * now. And what is not as it was seen last may lag behind; then it names a past version itself, so that the write finds out.
 */
export const isAsSeen = (
  { writePendingSeconds, observedRoles, enabled, email, externalId }: AccountRecord,
  account: Account,
): boolean =>
  writePendingSeconds === undefined &&
  observedRoles !== undefined &&
  sameRoles(observedRoles, account.roles) &&
  (enabled ?? account.enabled) === account.enabled &&
  externalId === (account.externalId || undefined) &&
  email !== undefined &&
  isSameAddress(email, account.email)

/** Where something on the way sends writes twice, it is the second that is refused, and what the first made of the account is there. */
export const isCarriedOut = (overtaken: Overtaken | undefined, { account, etag }: ObservedAccount): boolean =>
  overtaken !== undefined &&
  overtaken.accountId === account.id &&
  overtaken.etag !== etag &&
  holds(account, overtaken.input)

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
