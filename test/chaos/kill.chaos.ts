// The service is killed (SIGKILL) at every boundary of every scenario. KILL_STRIDE=n tries every n-th, KILL_SERVICES=n runs
// n services at a time, each on a database of its own.
import t, { type Test } from 'tap'
import { killAtEach, startKilledService } from './kill-every-step.ts'
import { scenarios } from './kill-scenarios.ts'

const STRIDE = Number(process.env.KILL_STRIDE ?? 1)
const SERVICES = Number(process.env.KILL_SERVICES ?? 2)

t.setTimeout(7_200_000)
t.jobs = SERVICES

let kills = 0
const left = [...scenarios]

/** Takes one scenario after the other, until none is left. */
async function work(t: Test): Promise<void> {
  const run = await startKilledService(t)
  for (let scenario = left.shift(); scenario; scenario = left.shift()) {
    const each = scenario
    await t.test(`killed while ${each.name}`, async (t) => {
      const tried = await killAtEach(t, run, each, {
        first: 1,
        stride: STRIDE,
        most: Number.POSITIVE_INFINITY,
      })
      kills += tried
    })
  }
}

await Promise.all(Array.from({ length: SERVICES }, (_, n) => t.test(`service ${n + 1}`, work)))
t.comment(`${kills} kills tried in ${scenarios.length} scenarios`)
