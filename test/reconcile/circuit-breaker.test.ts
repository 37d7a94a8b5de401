import t from 'tap'
import {
  admitted,
  afterFailure,
  afterSuccess,
  type BreakerState,
  closedBreaker,
  isOpen,
} from '../../src/reconcile/circuit-breaker.ts'

const failTimes = (times: number, from: BreakerState = closedBreaker, now = 0): BreakerState => {
  let state = from
  for (let failure = 0; failure < times; failure += 1) state = afterFailure(state, now, undefined, 0)
  return state
}

t.test('it opens after five failures in a row, and closes after one success', async (t) => {
  t.equal(isOpen(failTimes(4)), false)
  t.equal(admitted(failTimes(4), 8, 3, 0), 8)
  t.equal(isOpen(failTimes(5)), true)
  t.equal(admitted(failTimes(5), 8, 0, 499), 0, 'nothing passes while it is open')
  t.same(afterSuccess(), closedBreaker)
})

t.test('after the pause one attempt at a time probes', async (t) => {
  const open = failTimes(5)
  t.equal(admitted(open, 8, 0, 500), 1)
  t.equal(admitted(open, 8, 1, 500), 0, 'while a probe is under way')
})

t.test('a failed probe makes the pause longer, up to a minute', async (t) => {
  let state = failTimes(5)
  const pauses: number[] = []
  for (let probe = 0; probe < 10; probe += 1) {
    const now = state.openUntil ?? 0
    state = afterFailure(state, now, undefined, 0)
    pauses.push((state.openUntil ?? 0) - now)
  }
  t.same(pauses.slice(0, 3), [1000, 2000, 4000])
  t.equal(pauses.at(-1), 30_000)
})

t.test('failures that were in flight when it opened do not make it longer', async (t) => {
  t.same(failTimes(20), failTimes(5))
})

t.test('Retry-After is obeyed at the first time', async (t) => {
  const state = afterFailure(closedBreaker, 1000, 7000, 0)
  t.equal(admitted(state, 8, 0, 7999), 0)
  t.equal(admitted(state, 8, 0, 8000), 1)
})
