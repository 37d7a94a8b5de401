// The short form of test/chaos/kill.chaos.ts: in every fifth scenario the service is killed at one boundary, at another one in
// each. KILL_OFFSET shifts the boundaries, and chooses the scenarios.
import t from 'tap'
import { killAtEach, startKilledService } from '../chaos/kill-every-step.ts'
import { scenarios } from '../chaos/kill-scenarios.ts'

/** Few scenarios have fewer boundaries. */
const SPREAD = 50
const OFFSET = Number(process.env.KILL_OFFSET ?? 0)

t.setTimeout(300_000)

const run = await startKilledService(t)

for (const [index, scenario] of scenarios.entries()) {
  if (index % 5 !== OFFSET % 5) continue
  t.test(`killed while ${scenario.name}`, async (t) => {
    await killAtEach(t, run, scenario, { first: 1 + ((OFFSET + index * 17) % SPREAD), stride: 1, most: 1 })
  })
}
