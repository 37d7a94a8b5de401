import type { Failure } from './dirty-set.ts'

/** How one attempt at one user ended. */
export type Attempt = (
  | { readonly kind: 'done'; readonly outcome: 'unchanged' | 'created' | 'replaced' | 'deleted' | 'released' }
  /** Another process holds the user now. */
  | { readonly kind: 'lost' }
  /** Nothing will change until somebody changes something: parked, and looked at again only then, or after a long time. */
  | ({ readonly kind: 'waiting' } & Failure)
  | ({
      readonly kind: 'failed'
      readonly scope: 'account' | 'campaign_manager' | 'credentials'
      readonly retryAfterMs?: number
    } & Failure)
) & {
  /** It ended without asking Campaign Manager anything, and so says nothing of it. */
  readonly unasked?: true
}

/** For the metric: what was done, or why it was not. */
export const outcomeOf = (attempt: Attempt): string => {
  if (attempt.kind === 'done') return attempt.outcome
  return attempt.kind === 'lost' ? 'lost' : attempt.reason
}
