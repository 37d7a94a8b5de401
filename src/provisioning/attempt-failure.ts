import { CampaignManagerError, type CampaignManagerErrorCode } from '../campaign-manager/errors.ts'
import type { Attempt } from '../reconcile/worker.ts'
import { ACCOUNT_LINKED_ELSEWHERE, AccountTakenError } from './delivery-record.ts'

/**
 * What a failed call means: `waiting` for somebody to change something about this user, or `failed`, to be tried again;
 * and then whether it says something of this account or of Campaign Manager as a whole.
 */
const meaning: Record<CampaignManagerErrorCode, 'waiting' | 'account' | 'campaign_manager'> = {
  unauthorized: 'campaign_manager',
  forbidden: 'campaign_manager',
  rate_limited: 'campaign_manager',
  internal: 'campaign_manager',
  unavailable: 'campaign_manager',
  timeout: 'campaign_manager',
  network: 'campaign_manager',
  malformed: 'campaign_manager',
  not_found: 'account',
  user_exists: 'account',
  precondition_failed: 'account',
  role_unknown: 'waiting',
  invalid: 'waiting',
}

/** Another user holds the account of this user's address, or is still giving it up. */
export const linkedElsewhere: Attempt = {
  kind: 'waiting',
  reason: ACCOUNT_LINKED_ELSEWHERE,
  detail: "the Campaign Manager account with the user's e-mail address is linked to another user",
}

/** Rethrows what is not Campaign Manager's doing. */
export function attemptFailed(error: unknown): Attempt {
  if (error instanceof AccountTakenError) return linkedElsewhere
  if (!(error instanceof CampaignManagerError)) throw error
  const scope = meaning[error.code]
  if (scope === 'waiting') return { kind: 'waiting', reason: error.code, detail: error.message }
  return {
    kind: 'failed',
    scope,
    reason: error.code,
    detail: error.message,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  }
}
