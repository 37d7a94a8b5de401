import type { Attempt } from './attempt.ts'
import {
  admitted,
  afterFailure,
  afterSuccess,
  type BreakerState,
  closedBreaker,
  isOpen,
} from './circuit-breaker.ts'
import type { Claim } from './dirty-set.ts'

/** What a worker knows of one line. */
export interface Line {
  readonly inFlight: Set<Claim>
  breaker: BreakerState
  /** Campaign Manager's last answer was that it does not accept the credentials. */
  credentialsRefused: boolean
  rounds: number
  /** The tenant that had its turn last. */
  lastTenant: number
}

export const newLine = (): Line => ({
  inFlight: new Set(),
  breaker: closedBreaker,
  credentialsRefused: false,
  rounds: 0,
  lastTenant: 0,
})

export const isPaused = (line: Line | undefined): boolean => line !== undefined && isOpen(line.breaker)

/** How many more attempts may begin on the line now. */
export function freePlaces(line: Line, concurrency: number, now: number): number {
  const free = concurrency - line.inFlight.size
  return free > 0 ? admitted(line.breaker, free, line.inFlight.size, now) : 0
}

/** What the end of an attempt says of Campaign Manager. */
export function noteAttempt(line: Line, claim: Claim, attempt: Attempt, now: number, random: number): void {
  if (attempt.kind === 'failed' && attempt.scope !== 'account') {
    const credentials = attempt.scope === 'credentials'
    const failure = { userId: claim.userId, retryAfterMs: attempt.retryAfterMs, credentials }
    line.breaker = afterFailure(line.breaker, now, failure, random)
    line.credentialsRefused = credentials
  } else if (attempt.kind === 'done') {
    // Who waits may have been told so without asking Campaign Manager anything.
    line.breaker = afterSuccess()
    line.credentialsRefused = false
  }
}
