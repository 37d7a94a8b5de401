import t from 'tap'
import { createFailureLimit } from '../../src/http/failure-limit.ts'

t.test('failures beyond the limit of a minute are too many, of that source alone', async (t) => {
  let now = 5000
  const limit = createFailureLimit({ perMinute: 3, monotonic: () => now })
  for (let failure = 1; failure <= 3; failure++) t.equal(limit('a'), undefined)
  now += 20_500
  t.same(limit('a'), { retryAfterSeconds: 40, isFirst: true })
  t.same(limit('a'), { retryAfterSeconds: 40, isFirst: false })
  t.equal(limit('b'), undefined)
  now = 64_999
  t.same(limit('a'), { retryAfterSeconds: 1, isFirst: false })
  now = 65_000
  t.equal(limit('a'), undefined, 'the next minute begins anew')
})

t.test('without settings 60 failures a minute are answered', async (t) => {
  const limit = createFailureLimit({ monotonic: () => 0 })
  for (let failure = 1; failure <= 60; failure++) t.equal(limit('a'), undefined)
  t.match(limit('a'), { retryAfterSeconds: 60, isFirst: true })
})

t.test('it remembers so many sources and no more', async (t) => {
  let now = 0
  const limit = createFailureLimit({ perMinute: 1, sources: 3, monotonic: () => now })
  for (const source of ['a', 'b', 'c']) {
    limit(source)
    now += 1
  }
  for (const source of ['a', 'b', 'c']) t.match(limit(source), { isFirst: true }, source)
  t.equal(limit('d'), undefined)
  t.match(limit('c'), { isFirst: false }, 'the newest ones are remembered')
  t.equal(limit('a'), undefined, 'the one that began first was forgotten for it')
})
