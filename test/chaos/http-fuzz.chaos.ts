import t from 'tap'
import { httpFuzz } from './http-fuzz.ts'

t.setTimeout(7_200_000)

const requests = Number(process.env.FUZZ_REQUESTS ?? 100_000)

t.test('nothing that is sent fails the service', (t) =>
  httpFuzz(t, { requests, warmUp: Math.ceil(requests / 10), samples: 10, atOnce: 16 }),
)
