import t from 'tap'
import { outage } from './outage.ts'

t.setTimeout(1_800_000)

t.test('Campaign Manager is away for a minute under load', async (t) => {
  const { ratio, deliveredMs } = await outage(t, { rate: 25, windows: 6, windowMs: 10_000, warmUpMs: 10_000 })
  t.ok(ratio < 2, `SCIM's p99 changes by less than a factor of 2 (${ratio.toFixed(2)})`)
  t.ok(deliveredMs < 30_000, `all is delivered within 30 s (${Math.round(deliveredMs)} ms)`)
})
