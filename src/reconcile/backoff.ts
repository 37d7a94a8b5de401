export interface BackoffPolicy {
  readonly baseMs: number
  readonly maxMs: number
}

/**
 * The delay before the next attempt: doubling, then halved at random ("equal jitter"), so that users which failed
 * together do not come back together and no delay is close to nothing.
 *
 * @param attempts attempts that failed so far, at least 1
 * @param random from 0 up to 1
 */
export function backoffMs(attempts: number, random: number, policy: BackoffPolicy): number {
  // The exponent is bounded so that the power stays finite however often an attempt has failed.
  const full = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(attempts - 1, 30))
  return full / 2 + (full / 2) * random
}
