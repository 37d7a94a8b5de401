/** What a rate allows at this moment. A second fills it, so that a second's worth may come at once after a pause. */
export interface TokenBucket {
  /** Below zero when tokens were taken in advance. */
  readonly tokens: number
  /** Of a clock that never goes back, in milliseconds. */
  readonly at: number
}

const capacity = (perSecond: number): number => Math.max(1, perSecond)

export const fullBucket = (perSecond: number, now: number): TokenBucket => ({
  tokens: capacity(perSecond),
  at: now,
})

export function refilled({ tokens, at }: TokenBucket, perSecond: number, now: number): TokenBucket {
  return { tokens: Math.min(capacity(perSecond), tokens + ((now - at) / 1000) * perSecond), at: now }
}
