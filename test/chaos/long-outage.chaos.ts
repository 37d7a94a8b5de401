import t from 'tap'
import { longOutage } from './long-outage.ts'

t.setTimeout(7_200_000)

t.test('100 000 users wait while Campaign Manager is away', async (t) => {
  const { memory } = await longOutage(t, Number(process.env.CHAOS_USERS ?? 100_000), 60_000)
  const [start, end, peak] = memory
  t.ok(end < start + 150, `memory stays flat in the outage (${start} to ${end} MiB)`)
  t.ok(peak < start + 250, `and in the delivery (${peak} MiB at its most)`)
})
