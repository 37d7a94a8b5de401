// The short forms of the suites that `npm run test:chaos` runs at length: the same code with small numbers.
import t from 'tap'
import { unassignLargeGroup } from './large-group.ts'
import { longOutage } from './long-outage.ts'
import { outage } from './outage.ts'
import { parallelMembers } from './parallel-members.ts'

t.setTimeout(240_000)

t.test('memberships of one group that everybody changes at once are linearizable', (t) =>
  parallelMembers(t, { clients: 16, members: 10, requests: 16 }),
)

t.test('Campaign Manager is away for a moment under load', async (t) => {
  await outage(t, { rate: 25, windows: 2, windowMs: 800, warmUpMs: 500 })
})

t.test('a group is unassigned', async (t) => {
  await unassignLargeGroup(t, 80)
})

t.test('many users wait while Campaign Manager is away', async (t) => {
  await longOutage(t, 120, 1000)
})
