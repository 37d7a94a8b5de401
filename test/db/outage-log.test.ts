import t from 'tap'
import { createOutageLog } from '../../src/db/outage-log.ts'

function setUp() {
  const lines: [level: string, message: string, failures?: number][] = []
  let now = 0
  const outage = createOutageLog({
    log: {
      info: (_fields, message) => lines.push(['info', message]),
      error: (fields, message) => lines.push(['error', message, (fields as { failures: number }).failures]),
    },
    level: 'error',
    message: 'away',
    again: 'back',
    monotonic: () => now,
  })
  const fails = (times: number, everyMs: number) => {
    for (let time = 0; time < times; time += 1) {
      outage.failed(new Error('refused'))
      now += everyMs
    }
  }
  return { lines, outage, fails }
}

t.test('says at once what fails, then once a minute how often, then that it works again', async (t) => {
  const { lines, outage, fails } = setUp()
  outage.worked()
  fails(300, 500)
  t.equal(outage.failures, 300)
  outage.worked()
  outage.worked()
  t.equal(outage.failures, 0)
  t.same(lines, [
    ['error', 'away', 1],
    ['error', 'away', 120],
    ['error', 'away', 120],
    ['info', 'back'],
  ])
})

t.test('what fails now and then is told of no more often', async (t) => {
  const { lines, outage, fails } = setUp()
  for (let round = 0; round < 60; round += 1) {
    fails(2, 500)
    outage.worked()
  }
  fails(1, 500)
  t.same(lines, [
    ['error', 'away', 1],
    ['info', 'back'],
    ['error', 'away', 120],
  ])
})
