export interface RequestRateOptions {
  /** Requests a second, for each tenant. */
  readonly perSecond: number
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic: () => number
}

/** Counts a request of the tenant, or gives the seconds after which there is room for one. */
export type RequestRate = (tenantId: number) => { readonly retryAfterSeconds: number } | undefined

interface Bucket {
  tokens: number
  at: number
}

/** A bucket for each tenant, which a second fills: as many may come at once after a pause. What is refused costs nothing. */
export function createRequestRate({ perSecond, monotonic }: RequestRateOptions): RequestRate {
  const full = Math.max(1, perSecond)
  const buckets = new Map<number, Bucket>()
  return (tenantId) => {
    const now = monotonic()
    const bucket = buckets.get(tenantId) ?? { tokens: full, at: now }
    buckets.set(tenantId, bucket)
    bucket.tokens = Math.min(full, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    bucket.at = now
    if (bucket.tokens < 1) return { retryAfterSeconds: Math.ceil((1 - bucket.tokens) / perSecond) }
    bucket.tokens -= 1
    return undefined
  }
}
