import t from 'tap'
import {
  admitted,
  afterFailure,
  afterSuccess,
  type BreakerFailure,
  type BreakerState,
  closedBreaker,
  isOpen,
} from '../../src/reconcile/circuit-breaker.ts'

const failureOf = (user: number, more: Partial<BreakerFailure> = {}): BreakerFailure => ({
  userId: `user-${user}`,
  retryAfterMs: undefined,
  credentials: false,
  ...more,
})

const failUsers = (count: number, from: BreakerState = closedBreaker, now = 0): BreakerState => {
  let state = from
  for (let user = 0; user < count; user += 1) state = afterFailure(state, now, failureOf(user), 0)
  return state
}

t.test('it opens after five users failed in a row, and closes after one success', async (t) => {
  t.equal(isOpen(failUsers(4)), false)
  t.equal(admitted(failUsers(4), 8, 3, 0), 8)
  t.equal(isOpen(failUsers(5)), true)
  t.equal(admitted(failUsers(5), 8, 0, 499), 0, 'nothing passes while it is open')
  t.same(afterSuccess(), closedBreaker)
})

t.test('one user who always fails does not open it', async (t) => {
  let state = failUsers(4)
  for (let attempt = 0; attempt < 100; attempt += 1) state = afterFailure(state, 0, failureOf(0), 0)
  t.equal(isOpen(state), false)
  t.equal(isOpen(afterFailure(state, 0, failureOf(4), 0)), true)
})

t.test('after the pause one attempt at a time probes', async (t) => {
  const open = failUsers(5)
  t.equal(admitted(open, 8, 0, 500), 1)
  t.equal(admitted(open, 8, 1, 500), 0, 'while a probe is under way')
})

t.test('a failed probe makes the pause longer, up to a quarter of a minute', async (t) => {
  let state = failUsers(5)
  const pauses: number[] = []
  for (let probe = 0; probe < 10; probe += 1) {
    const now = state.openUntil ?? 0
    state = afterFailure(state, now, failureOf(0), 0)
    pauses.push((state.openUntil ?? 0) - now)
  }
  t.same(pauses.slice(0, 3), [1000, 2000, 4000])
  t.equal(pauses.at(-1), 7500)
})

t.test('failures that were in flight when it opened do not make it longer', async (t) => {
  t.same(failUsers(20), failUsers(5))
})

t.test('Retry-After is obeyed at the first time', async (t) => {
  const state = afterFailure(closedBreaker, 1000, failureOf(0, { retryAfterMs: 7000 }), 0)
  t.equal(admitted(state, 8, 0, 7999), 0)
  t.equal(admitted(state, 8, 0, 8000), 1)
})

t.test('refused credentials open it at once, and for long', async (t) => {
  const state = afterFailure(closedBreaker, 0, failureOf(0, { credentials: true }), 0)
  t.equal(admitted(state, 8, 0, 29_999), 0)
  t.equal(admitted(state, 8, 0, 30_000), 1)
})
