import t from 'tap'
import { createStop } from '../src/stop.ts'

t.test('what goes on for long must end four seconds after a stop has begun', async (t) => {
  let now = 1_000_000
  const stop = createStop(() => now)
  const nothing = async () => {}
  t.strictSame([stop.hasBegun(), stop.isPressing()], [false, false])
  const ended = stop.run({
    servers: [],
    inFlight: { watch() {}, count: 0, ended: nothing, answerStopped() {} },
    isWatched: () => false,
    stopReconciling: nothing,
    closeCalls: nothing,
    finish: nothing,
    breakOffDatabase: () => t.fail('nobody waits for it'),
    closeDatabase: nothing,
  })
  t.strictSame([stop.hasBegun(), stop.isPressing()], [true, false])
  now += 4001
  t.equal(stop.isPressing(), true)
  await ended
})
