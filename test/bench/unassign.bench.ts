// What unassigning a group costs for each of its members, as a multiple of what it costs in a smaller group.
import { sql } from 'kysely'
import t from 'tap'
import { startTestService } from '../support/service.ts'
import { compare } from './compare.ts'
import { tenantWithGroup } from './tenant-with-group.ts'

t.setTimeout(1_800_000)

const FEW = 500
const MANY = 5000
const ROUNDS = 3

t.test(`a group of ${MANY} costs as much for each member as one of ${FEW}`, async (t) => {
  const service = await startTestService(t)
  /** Made beforehand, so that only their end is timed. */
  const prepare = async (members: number): Promise<(() => Promise<void>)[]> => {
    const unassignments: (() => Promise<void>)[] = []
    for (let round = 0; round <= ROUNDS; round += 1) {
      const { scim, groupId } = await tenantWithGroup(service, `with-${members}-${round}`, members)
      unassignments.push(async () => {
        const { status } = await scim('DELETE', `/Groups/${groupId}`)
        if (status !== 204) throw new Error(`DELETE: ${status}`)
      })
    }
    return unassignments
  }
  const few = await prepare(FEW)
  const many = await prepare(MANY)
  await sql`vacuum analyze`.execute(service.database.db)
  await compare(t, `unassign ${FEW}, and ${MANY}`, {
    base: async () => few.pop()?.(),
    other: async () => many.pop()?.(),
    rounds: ROUNDS,
    atMost: (2 * MANY) / FEW,
  })
})
