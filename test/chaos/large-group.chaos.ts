import t from 'tap'
import { unassignLargeGroup } from './large-group.ts'

t.setTimeout(3_600_000)

t.test('a group of 10 000 is unassigned', async (t) => {
  const members = Number(process.env.CHAOS_MEMBERS ?? 10_000)
  const { deleteMs, memoryBefore, memoryPeak } = await unassignLargeGroup(t, members)
  t.ok(deleteMs < 5000, `DELETE is answered in less than 5 s (${Math.round(deleteMs)} ms)`)
  // Generous: what a garbage collector leaves for later is no leak.
  t.ok(memoryPeak < memoryBefore + 150, `memory stays flat (${memoryBefore} to ${memoryPeak} MiB)`)
})
