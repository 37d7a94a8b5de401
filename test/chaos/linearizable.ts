/** What was done to, or seen of, a register that is either on or off, between a request and its answer. */
export interface RegisterEvent {
  readonly kind: 'write' | 'read'
  readonly value: boolean
  readonly from: number
  readonly to: number
}

/** Beyond it a search takes more memory than it is worth: fewer writes should overlap. */
const MOST_STATES = 500_000

/**
 * Whether one order of all events, in which none comes before another that had ended when it began, explains every read
 * (Wing and Gong's search, which remembers where it has been).
 */
export function isLinearizable(events: readonly RegisterEvent[], initial: boolean): boolean {
  const ordered = [...events].sort((a, b) => a.from - b.from)
  const seen = new Set<string>()
  // Deep by as many events as there are writes, so no recursion.
  const open = [advance(ordered, new Set(), 0, initial)]
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (state.next.length === 0) return true
    for (const index of state.next) {
      const event = ordered[index]
      if (event?.kind !== 'write') continue
      const after = advance(ordered, new Set(state.done).add(index), state.first, event.value)
      const key = `${after.first} ${[...after.done].sort((a, b) => a - b)} ${after.value}`
      if (seen.has(key)) continue
      seen.add(key)
      if (seen.size > MOST_STATES) throw new Error('too many writes overlap to try every order of them')
      open.push(after)
    }
  }
  return false
}

interface SearchState {
  /** Every event before this one is done. */
  readonly first: number
  /** Those done beyond it. */
  readonly done: ReadonlySet<number>
  readonly value: boolean
  /** Those that may come next. */
  readonly next: readonly number[]
}

/** Takes every read that may come next and sees the value: it changes nothing, so it is never wrong to take it at once. */
function advance(
  ordered: readonly RegisterEvent[],
  done: Set<number>,
  first: number,
  value: boolean,
): SearchState {
  for (;;) {
    while (done.delete(first)) first += 1
    const next = candidates(ordered, done, first)
    const reads = next.filter((index) => ordered[index]?.kind === 'read' && ordered[index]?.value === value)
    if (reads.length === 0) return { first, done, value, next }
    for (const index of reads) done.add(index)
  }
}

function candidates(ordered: readonly RegisterEvent[], done: ReadonlySet<number>, first: number): number[] {
  const next: number[] = []
  let earliestEnd = Number.POSITIVE_INFINITY
  for (let index = first; index < ordered.length; index += 1) {
    const event = ordered[index]
    if (event === undefined || event.from > earliestEnd) break
    if (done.has(index)) continue
    next.push(index)
    earliestEnd = Math.min(earliestEnd, event.to)
  }
  return next
}
