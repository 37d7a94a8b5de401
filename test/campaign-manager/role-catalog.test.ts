import t from 'tap'
import { CampaignManagerError } from '../../src/campaign-manager/errors.ts'
import type { Role } from '../../src/campaign-manager/messages.ts'
import { createRoleCatalog } from '../../src/campaign-manager/role-catalog.ts'

/** A catalog whose clock and answers the test gives. */
function setup() {
  const clock = { ms: 1_000_000 }
  const asked: PromiseWithResolvers<Role[]>[] = []
  const catalog = createRoleCatalog({
    ttlMs: 60_000,
    now: () => clock.ms,
    campaignManager: {
      listRoles: () => {
        const answer = Promise.withResolvers<Role[]>()
        asked.push(answer)
        return answer.promise
      },
    },
  })
  const answer = (index: number, ...names: string[]) =>
    asked[index]?.resolve(names.map((name) => ({ id: name, name })))
  const fail = (index: number) =>
    asked[index]?.reject(
      new CampaignManagerError('Campaign Manager answered 503', {
        code: 'unavailable',
        mayHaveApplied: false,
      }),
    )
  return { clock, asked, catalog, answer, fail }
}

t.test('a list is believed for its time and then asked for anew', async (t) => {
  const { clock, asked, catalog, answer } = setup()
  t.equal(catalog.peek(), undefined)
  const first = catalog.get()
  answer(0, 'A', 'B')
  t.strictSame(await first, ['A', 'B'])
  clock.ms += 59_999
  t.strictSame(await catalog.get(), ['A', 'B'])
  t.strictSame(catalog.peek(), ['A', 'B'])
  t.equal(asked.length, 1)

  clock.ms += 1
  t.equal(catalog.peek(), undefined)
  const second = catalog.get()
  answer(1, 'C')
  t.strictSame(await second, ['C'])
  t.equal(asked.length, 2)
})

t.test('who needs a recent list gets one', async (t) => {
  const { clock, asked, catalog, answer } = setup()
  const first = catalog.get()
  answer(0, 'A')
  await first
  clock.ms += 4_999
  t.strictSame(await catalog.get(5_000), ['A'])
  clock.ms += 1
  const recent = catalog.get(5_000)
  t.strictSame(await catalog.get(), ['A'], 'the others keep theirs')
  answer(1, 'A', 'B')
  t.strictSame(await recent, ['A', 'B'])
  t.strictSame(await catalog.get(), ['A', 'B'])
  t.equal(asked.length, 2)
})

t.test('the time runs from the question, and a clock set back ends it', async (t) => {
  const { clock, asked, catalog, answer } = setup()
  const slow = catalog.get()
  clock.ms += 50_000
  answer(0, 'A')
  await slow
  t.strictSame(catalog.peek(), ['A'])
  clock.ms += 10_000
  t.equal(catalog.peek(), undefined)

  const again = catalog.get()
  answer(1, 'A')
  await again
  clock.ms -= 1
  t.equal(catalog.peek(), undefined)
  t.equal(asked.length, 2)
})

t.test('callers share one fetch', async (t) => {
  const { asked, catalog, answer } = setup()
  const both = Promise.all([catalog.get(), catalog.get()])
  t.equal(asked.length, 1)
  answer(0, 'A')
  t.strictSame(await both, [['A'], ['A']])
})

t.test('who needs a later list than the one that is being fetched has one fetched', async (t) => {
  const { clock, asked, catalog, answer } = setup()
  const older = catalog.get()
  clock.ms += 10
  const newer = catalog.get(10)
  const shared = catalog.get(11)
  t.equal(asked.length, 2)
  answer(1, 'A', 'B')
  t.strictSame(await Promise.all([newer, shared]), [
    ['A', 'B'],
    ['A', 'B'],
  ])
  answer(0, 'A')
  t.strictSame(await older, ['A'])
  t.strictSame(catalog.peek(), ['A', 'B'], 'the older one is not kept')
})

t.test('after invalidate an older reply reaches its caller and nobody else', async (t) => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const { asked, catalog, answer } = setup()
    const older = catalog.get()
    catalog.invalidate()
    const newer = catalog.get()
    t.equal(asked.length, 2)
    for (const index of order) answer(index, index === 0 ? 'old' : 'new')
    t.strictSame(await Promise.all([older, newer]), [['old'], ['new']])
    t.strictSame(catalog.peek(), ['new'])
  }
})

t.test('invalidate forgets the list that was kept', async (t) => {
  const { catalog, answer } = setup()
  const first = catalog.get()
  answer(0, 'A')
  await first
  catalog.invalidate()
  t.equal(catalog.peek(), undefined)
})

t.test(
  'a failed refresh throws for all who wait; nothing stale is served; the next call asks again',
  async (t) => {
    const { clock, asked, catalog, answer, fail } = setup()
    const first = catalog.get()
    answer(0, 'A')
    await first
    clock.ms += 60_000
    const waiting = [catalog.get(), catalog.get()]
    fail(1)
    for (const call of waiting) {
      await t.rejects(call, { code: 'unavailable', message: 'Campaign Manager answered 503' })
    }
    t.equal(catalog.peek(), undefined)
    const next = catalog.get()
    answer(2, 'B')
    t.strictSame(await next, ['B'])
    t.equal(asked.length, 3)
  },
)
