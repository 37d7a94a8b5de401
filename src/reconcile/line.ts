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

/** Whether nothing is to be asked over the line now. Once the pause is over, whoever comes first finds out. */
export const isPaused = (line: Line | undefined, now: number): boolean =>
  line?.breaker.openUntil !== undefined && now < line.breaker.openUntil

/** Whether it is time to find out how Campaign Manager is, and there is nobody under way to do so. */
export const isProbeDue = (line: Line, now: number): boolean =>
  isOpen(line.breaker) && !isPaused(line, now) && line.inFlight.size === 0

/** Forgets that Campaign Manager failed. */
export function closeBreaker(line: Line): void {
  line.breaker = afterSuccess()
  line.credentialsRefused = false
}

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
  } else if (attempt.kind !== 'lost' && !attempt.unasked) {
    // Whatever it said of the one account, it answered.
    closeBreaker(line)
  }
}
