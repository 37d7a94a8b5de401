import * as fc from 'fast-check'
import t from 'tap'
import { backoffMs } from '../../src/reconcile/backoff.ts'

const policy = { baseMs: 1000, maxMs: 60_000 }

t.test('delays double up to the limit, and are jittered by half', async (t) => {
  t.equal(backoffMs(1, 0, policy), 500)
  t.equal(backoffMs(2, 0, policy), 1000)
  t.equal(backoffMs(3, 0.5, policy), 3000)
  t.equal(backoffMs(100, 0, policy), 30_000)
})

t.test('every delay is finite and within the limits', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e9 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempts, random) => {
        const delay = backoffMs(attempts, random, policy)
        return delay >= policy.baseMs / 2 && delay <= policy.maxMs
      },
    ),
  )
})
