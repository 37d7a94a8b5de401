/**
 * Keeps work in Postgres while Campaign Manager cannot take it. Closed: everything passes. Open: nothing does. After
 * the pause one attempt at a time probes; its success closes the breaker, its failure opens it for longer.
 */
export interface BreakerState {
  /** Users of whom an attempt failed for a reason that may concern Campaign Manager as a whole, since the last success. */
  readonly failing: ReadonlySet<string>
  /** Failures that opened it, or kept it open, in a row. */
  readonly openings: number
  /** On the monotonic clock, in milliseconds; undefined while closed. */
  readonly openUntil: number | undefined
}

export const closedBreaker: BreakerState = { failing: new Set(), openings: 0, openUntil: undefined }

/** So many users in a row are no coincidence. One whose account always fails never opens it, however often it is tried. */
const THRESHOLD = 5
const BASE_PAUSE_MS = 1000
/** One question in so long disturbs nobody, and a longer pause would keep removals waiting once Campaign Manager is back. */
const MAX_PAUSE_MS = 15_000
const CREDENTIALS_PAUSE_MS = 60_000

/** How many attempts may begin: all that are asked for, one probe, or none. */
export function admitted(state: BreakerState, wanted: number, inFlight: number, now: number): number {
  if (state.openUntil === undefined) return wanted
  return now >= state.openUntil && inFlight === 0 ? Math.min(wanted, 1) : 0
}

export const isOpen = (state: BreakerState): boolean => state.openUntil !== undefined

export const afterSuccess = (): BreakerState => closedBreaker

export interface BreakerFailure {
  readonly userId: string
  /** What Campaign Manager asked for: obeyed at the first time, without waiting for the threshold. */
  readonly retryAfterMs: number | undefined
  /** The credentials were refused: every other call would fail too, and asking often helps nobody. */
  readonly credentials: boolean
}

/** @param random from 0 up to 1 */
export function afterFailure(
  state: BreakerState,
  now: number,
  { userId, retryAfterMs, credentials }: BreakerFailure,
  random: number,
): BreakerState {
  // What was in flight when the breaker opened says nothing new.
  if (state.openUntil !== undefined && now < state.openUntil) return state
  const failing = new Set(state.failing).add(userId)
  const opens =
    state.openUntil !== undefined || failing.size >= THRESHOLD || retryAfterMs !== undefined || credentials
  if (!opens) return { ...state, failing }
  const doubled = BASE_PAUSE_MS * 2 ** Math.min(state.openings, 16)
  const pause = credentials ? CREDENTIALS_PAUSE_MS : Math.min(MAX_PAUSE_MS, doubled)
  return {
    failing: new Set(),
    openings: state.openings + 1,
    openUntil: now + Math.max(retryAfterMs ?? 0, pause / 2 + (pause / 2) * random),
  }
}
