export interface FailureLimitOptions {
  /** How many failures of one source in a minute are answered as what they are. */
  readonly perMinute?: number
  /** How many sources are remembered; beyond it the one that began first is forgotten. */
  readonly sources?: number
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic: () => number
}

export interface Excess {
  readonly retryAfterSeconds: number
  /** The first one of this minute. */
  readonly isFirst: boolean
}

/** Counts a failure of the source, and says if it is one too many. */
export type FailureLimit = (source: string) => Excess | undefined

const PER_MINUTE = 60
const SOURCES = 10_000
const MINUTE_MS = 60_000

/**
 * Bounds what wrong credentials cost, in answers and in the log. It counts failures alone and is asked about nothing else, so
 * that a right credential passes whatever else comes from its address: many clients may share one.
 */
export function createFailureLimit(options: FailureLimitOptions): FailureLimit {
  const { perMinute = PER_MINUTE, sources = SOURCES, monotonic } = options
  /** In the order in which their minutes began. */
  const counts = new Map<string, { since: number; failures: number }>()

  function countOf(source: string, now: number): { since: number; failures: number } {
    const known = counts.get(source)
    if (known && now - known.since < MINUTE_MS) return known
    counts.delete(source)
    for (const [oldest, { since }] of counts) {
      if (counts.size < sources && now - since < MINUTE_MS) break
      counts.delete(oldest)
    }
    const fresh = { since: now, failures: 0 }
    counts.set(source, fresh)
    return fresh
  }

  return (source) => {
    const now = monotonic()
    const count = countOf(source, now)
    count.failures += 1
    if (count.failures <= perMinute) return undefined
    return {
      retryAfterSeconds: Math.max(1, Math.ceil((count.since + MINUTE_MS - now) / 1000)),
      isFirst: count.failures === perMinute + 1,
    }
  }
}
