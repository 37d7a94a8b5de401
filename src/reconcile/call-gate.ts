import { fullBucket, refilled, type TokenBucket } from '../token-bucket.ts'

/** Runs a call when a place is free and the rate allows it, in order of arrival. */
export type CallGate = <T>(run: () => Promise<T>) => Promise<T>

export interface CallGateOptions {
  /** Calls in flight at once. */
  readonly concurrency: number
  /** Calls a second; 0 = no limit. A second's worth may start at once after a pause. */
  readonly ratePerSecond: number
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic: () => number
  readonly delay: (ms: number) => Promise<void>
}

/** Bounds what one process asks of Campaign Manager: a semaphore and a token bucket. */
export function createCallGate({ concurrency, ratePerSecond, monotonic, delay }: CallGateOptions): CallGate {
  let inFlight = 0
  const waiting: (() => void)[] = []
  let bucket = fullBucket(ratePerSecond, monotonic())

  async function enter(): Promise<void> {
    if (inFlight < concurrency) inFlight += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }

  // The place passes straight to the next in line, so that a newcomer cannot slip in between.
  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else inFlight -= 1
  }

  return async (run) => {
    await enter()
    try {
      if (ratePerSecond > 0) {
        const taken = takeToken(bucket, ratePerSecond, monotonic())
        bucket = taken.bucket
        if (taken.waitMs > 0) await delay(taken.waitMs)
      }
      return await run()
    } finally {
      leave()
    }
  }
}

/** Takes a token, in advance when there is none: the debt is the time to wait. */
export function takeToken(
  bucket: TokenBucket,
  ratePerSecond: number,
  now: number,
): { bucket: TokenBucket; waitMs: number } {
  const tokens = refilled(bucket, ratePerSecond, now).tokens - 1
  return { bucket: { tokens, at: now }, waitMs: tokens >= 0 ? 0 : (-tokens / ratePerSecond) * 1000 }
}
