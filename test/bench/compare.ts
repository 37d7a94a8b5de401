import type { Test } from 'tap'
import { median } from '../chaos/figures.ts'

export interface Comparison {
  readonly base: () => Promise<unknown>
  readonly other: () => Promise<unknown>
  /** How often each is timed. */
  readonly rounds: number
  /** How many times the base the other may take. Generous: what it is to find is a cost that grows with what should not matter. */
  readonly atMost: number
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

/** Times two things in turn, so that whatever else the machine does befalls both alike, and compares their medians. */
export async function compare(t: Test, what: string, comparison: Comparison): Promise<void> {
  const { base, other, rounds, atMost } = comparison
  const times = { base: [] as number[], other: [] as number[] }
  // What is done for the first time alone is not what is compared.
  await base()
  await other()
  for (let round = 0; round < rounds; round += 1) {
    times.base.push(await timed(base))
    times.other.push(await timed(other))
  }
  const [less, more] = [median(times.base), median(times.other)]
  const ratio = more / less
  t.comment(`${what}: ${less.toFixed(1)} ms, ${more.toFixed(1)} ms, ratio ${ratio.toFixed(2)}`)
  t.ok(ratio <= atMost, `${what}: ${ratio.toFixed(2)} times, ${atMost} at most`)
}
