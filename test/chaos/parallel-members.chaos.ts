import t from 'tap'
import { parallelMembers } from './parallel-members.ts'

t.setTimeout(1_800_000)

t.test('memberships of one group that everybody changes at once are linearizable', (t) =>
  parallelMembers(t, { clients: 16, members: 40, requests: 400 }),
)

t.test('the same with few members, whom everybody changes', (t) =>
  parallelMembers(t, { clients: 16, members: 12, requests: 100 }),
)
