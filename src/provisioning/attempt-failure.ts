import { CampaignManagerError, type CampaignManagerErrorCode } from '../campaign-manager/errors.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import { ACCOUNT_LINKED_ELSEWHERE } from './delivery-record.ts'
import { AccountTakenError } from './held-claim.ts'

/**
 * What a failed call means.
 *
 * conflict     the account, or the list of roles, is not what it was when it was read: read again and compute anew
 * retry        nothing is known to have happened: later again, for as long as it takes
 * credentials  every other call would fail too: stop asking, tell somebody, keep the work
 * permanent    nothing will change until somebody changes something: parked with the reason
 */
type Meaning = 'conflict' | 'retry' | 'credentials' | 'permanent'

const meanings: Record<CampaignManagerErrorCode, Meaning> = {
  precondition_failed: 'conflict',
  user_exists: 'conflict',
  not_found: 'conflict',
  role_unknown: 'conflict',
  rate_limited: 'retry',
  internal: 'retry',
  unavailable: 'retry',
  timeout: 'retry',
  network: 'retry',
  malformed: 'retry',
  // May concern this one account alone; if it concerns all, the circuit breaker finds out.
  forbidden: 'retry',
  unauthorized: 'credentials',
  invalid: 'permanent',
}

export const isConflict = (error: unknown): error is CampaignManagerError =>
  error instanceof CampaignManagerError && meanings[error.code] === 'conflict'

/**
 * Another user holds the account of this user's address, or is still giving it up. Tried again before long: that one may give it
 * up in an attempt that runs beside this one, whose word of it would come before there is anybody who waits for it.
 */
export const linkedElsewhere: Attempt = {
  kind: 'failed',
  scope: 'account',
  reason: ACCOUNT_LINKED_ELSEWHERE,
  detail: "the Campaign Manager account with the user's e-mail address is linked to another user",
}

export const notApplied: Attempt = {
  kind: 'failed',
  scope: 'account',
  reason: 'not_applied',
  detail: 'Campaign Manager answered a write with an account that differs from what was written',
}

/**
 * How an attempt ends that such a call put an end to. A conflict that did not go away after several looks is left for
 * later, and a role that stays unknown is waited for. Rethrows what is not Campaign Manager's doing.
 */
export function attemptFailed(error: unknown): Attempt {
  if (error instanceof AccountTakenError) return linkedElsewhere
  if (!(error instanceof CampaignManagerError)) throw error
  const { code: reason, message: detail, retryAfterMs } = error
  const meaning = meanings[reason]
  if (meaning === 'permanent' || reason === 'role_unknown') return { kind: 'waiting', reason, detail }
  return {
    kind: 'failed',
    scope:
      meaning === 'conflict' ? 'account' : meaning === 'credentials' ? 'credentials' : 'campaign_manager',
    reason,
    detail,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}
