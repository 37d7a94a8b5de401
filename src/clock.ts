export type Clock = {
  now(): Date
  /** Milliseconds from an arbitrary start that never run backwards: for durations, not for instants. */
  monotonic(): number
}

export const systemClock: Clock = Object.freeze({
  now: () => new Date(),
  monotonic: () => performance.now(),
})
