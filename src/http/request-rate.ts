import { fullBucket, refilled, type TokenBucket } from '../token-bucket.ts'

export interface RequestRateOptions {
  /** Requests a second, for each tenant. */
  readonly perSecond: number
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic: () => number
}

/** Counts a request of the tenant, or gives the seconds after which there is room for one. */
export type RequestRate = (tenantId: number) => { readonly retryAfterSeconds: number } | undefined

/** A bucket for each tenant. What is refused costs nothing. */
export function createRequestRate({ perSecond, monotonic }: RequestRateOptions): RequestRate {
  const buckets = new Map<number, TokenBucket>()
  return (tenantId) => {
    const now = monotonic()
    const { tokens } = refilled(buckets.get(tenantId) ?? fullBucket(perSecond, now), perSecond, now)
    buckets.set(tenantId, { tokens: tokens < 1 ? tokens : tokens - 1, at: now })
    return tokens < 1 ? { retryAfterSeconds: Math.ceil((1 - tokens) / perSecond) } : undefined
  }
}
