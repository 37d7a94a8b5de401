import type { Test } from 'tap'

/** Chosen by CHAOS_SEED, else by chance; printed, so that a run can be repeated. */
export function chaosSeed(t: Test): number {
  const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1_000_000))
  t.comment(`seed ${seed} (CHAOS_SEED=${seed} repeats its choices)`)
  return seed
}

/** A whole number from 0 up to, and without, `below`. */
export type Random = (below: number) => number

/** mulberry32: the same choices for the same seed. */
export function randomOf(seed: number): Random {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

export function pickOf<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)]
  if (item === undefined) throw new Error('there is nothing to choose from')
  return item
}

/** Some of them, at least one, each once, in no order. */
export function someOf<T>(random: Random, items: readonly T[], most: number): T[] {
  const chosen = new Set<T>()
  const count = 1 + random(most)
  for (let n = 0; n < count * 2 && chosen.size < Math.min(count, items.length); n += 1) {
    chosen.add(pickOf(random, items))
  }
  return [...chosen]
}

export class Tally {
  readonly #counts = new Map<string, number>()

  add(what: string | number, count = 1): void {
    this.#counts.set(String(what), (this.#counts.get(String(what)) ?? 0) + count)
  }

  of(what: string | number): number {
    return this.#counts.get(String(what)) ?? 0
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  toString(): string {
    return [...this.#counts]
      .sort()
      .map(([what, count]) => `${what} ${count}`)
      .join(', ')
  }
}

export function printFigures(t: Test, figures: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(figures)) t.comment(`${name}: ${String(value)}`)
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** The q-quantile of some numbers, 0 of none. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)
