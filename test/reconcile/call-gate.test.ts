import t from 'tap'
import { createCallGate } from '../../src/reconcile/call-gate.ts'

const setup = (concurrency: number, ratePerSecond: number) => {
  let now = 0
  const delays: number[] = []
  const gate = createCallGate({
    concurrency,
    ratePerSecond,
    monotonic: () => now,
    delay: async (ms) => {
      delays.push(ms)
      now += ms
    },
  })
  return { gate, delays }
}

t.test('no more calls run at once than allowed, and none is left behind', async (t) => {
  const { gate } = setup(3, 0)
  let running = 0
  let most = 0
  const call = async (result: number) => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
    return result
  }
  const results = await Promise.all(Array.from({ length: 20 }, (_, index) => gate(() => call(index))))
  t.same(results, [...Array(20).keys()])
  t.equal(most, 3)
})

t.test('a failing call frees its place', async (t) => {
  const { gate } = setup(1, 0)
  await t.rejects(
    gate(async () => {
      throw new Error('broken')
    }),
    { message: 'broken' },
  )
  t.equal(await gate(async () => 1), 1)
})

t.test('beyond a second of calls at once, the rate holds', async (t) => {
  const { gate, delays } = setup(1, 10)
  for (let call = 0; call < 15; call += 1) await gate(async () => {})
  t.same(delays, [100, 100, 100, 100, 100])
})
