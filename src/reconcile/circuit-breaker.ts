/**
 * Keeps work in Postgres while Campaign Manager cannot take it. Closed: everything passes. Open: nothing does. After
 * the pause one attempt at a time probes; its success closes the breaker, its failure opens it for longer.
 */
export interface BreakerState {
  /** Failures in a row that concerned Campaign Manager as a whole, not one account. */
  readonly failures: number
  /** On the monotonic clock, in milliseconds; undefined while closed. */
  readonly openUntil: number | undefined
}

export const closedBreaker: BreakerState = { failures: 0, openUntil: undefined }

/** So many failures in a row are no coincidence of single calls. */
const THRESHOLD = 5
const BASE_PAUSE_MS = 1000
const MAX_PAUSE_MS = 60_000

/** How many attempts may begin: all that are asked for, one probe, or none. */
export function admitted(state: BreakerState, wanted: number, inFlight: number, now: number): number {
  if (state.openUntil === undefined) return wanted
  return now >= state.openUntil && inFlight === 0 ? Math.min(wanted, 1) : 0
}

export const isOpen = (state: BreakerState): boolean => state.openUntil !== undefined

export const afterSuccess = (): BreakerState => closedBreaker

/**
 * @param retryAfterMs what Campaign Manager asked for: obeyed at the first time, without waiting for the threshold
 * @param random from 0 up to 1
 */
export function afterFailure(
  state: BreakerState,
  now: number,
  retryAfterMs: number | undefined,
  random: number,
): BreakerState {
  // What was in flight when the breaker opened says nothing new.
  if (state.openUntil !== undefined && now < state.openUntil) return state
  const failures = state.failures + 1
  if (failures < THRESHOLD && retryAfterMs === undefined) return { failures, openUntil: undefined }
  const pause = Math.min(MAX_PAUSE_MS, BASE_PAUSE_MS * 2 ** Math.max(0, Math.min(failures - THRESHOLD, 16)))
  return { failures, openUntil: now + Math.max(retryAfterMs ?? 0, pause / 2 + (pause / 2) * random) }
}
