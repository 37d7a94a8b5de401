// The short form of http-fuzz.chaos.ts.
import t from 'tap'
import { httpFuzz } from './http-fuzz.ts'

t.setTimeout(240_000)

t.test('nothing of a few thousand requests fails the service', (t) =>
  httpFuzz(t, { requests: 2000, warmUp: 500, samples: 1, atOnce: 16 }),
)
