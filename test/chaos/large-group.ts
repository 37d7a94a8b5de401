import type { Test } from 'tap'
import { openDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import { addMembers, groupBody, type ScimRequest, userBody } from '../support/scim-client.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { printFigures, seconds } from './figures.ts'
import { memoryOf } from './memory.ts'
import { waitUntil } from './waiting.ts'

export interface LargeGroupFigures {
  readonly deleteMs: number
  /** In MiB: what the process held when everybody was a member, and the most it ever held afterwards. */
  readonly memoryBefore: number
  readonly memoryPeak: number
}

const BULK_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const HALF_HOUR = 1_800_000

/** A group of many is unassigned; every other member is in a second group too. */
export async function unassignLargeGroup(t: Test, members: number): Promise<LargeGroupFigures> {
  const { url, pool } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const { scim, child } = await startServiceProcess(t, {
    databaseUrl: url,
    campaignManagerUrl: sandbox.url,
    env: { DELETION_GUARD_COUNT: '0' },
  })
  const isClean = async () => (await pool.query('select from dirty_user limit 1')).rowCount === 0
  const ids = await createPeople(scim, members)
  const [large = '', second = ''] = await Promise.all(
    ['Campaign Editor', 'Campaign Viewer'].map(
      async (role) => (await scim('POST', '/Groups', groupBody(role))).body.id,
    ),
  )
  for (let at = 0; at < members; at += 1000) {
    const some = ids.slice(at, at + 1000)
    await scim('PATCH', `/Groups/${large}`, addMembers(...some))
    const both = some.filter((_id, index) => index % 2 === 0)
    await scim('PATCH', `/Groups/${second}`, addMembers(...both))
  }
  await waitUntil('everybody has an account', HALF_HOUR, isClean)
  t.equal(sandbox.state.users().length, members)
  const before = await memoryOf(child.pid)

  const began = performance.now()
  const { status } = await scim('DELETE', `/Groups/${large}`)
  const deleteMs = performance.now() - began
  t.equal(status, 204)
  await waitUntil('every account is right', HALF_HOUR, isClean)
  const reconciledMs = performance.now() - began
  const after = await memoryOf(child.pid)

  printFigures(t, {
    members,
    'DELETE answered after': `${Math.round(deleteMs)} ms`,
    'every account right after': seconds(reconciledMs),
    'memory with all members, at the end, at its most': `${before?.now}, ${after?.now}, ${after?.peak} MiB`,
  })
  const expected = ids.flatMap((_id, index) =>
    index % 2 === 0 ? [`large-${index}@example.com Campaign Viewer`] : [],
  )
  const held = sandbox.state.users().map(({ email, roles }) => `${email} ${roles}`)
  t.same(
    held.filter((each) => !expected.includes(each)),
    [],
    'nobody keeps what is not wanted',
  )
  t.equal(held.length, expected.length, 'nobody loses what is')
  return { deleteMs, memoryBefore: before?.now ?? 0, memoryPeak: after?.peak ?? 0 }
}

async function createPeople(scim: ScimRequest, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < count; at += 500) {
    const names = Array.from({ length: Math.min(500, count - at) }, (_, index) => `large-${at + index}`)
    const { body } = await scim('POST', '/Bulk', {
      schemas: [BULK_SCHEMA],
      Operations: names.map((name) => ({
        method: 'POST',
        path: '/Users',
        bulkId: name,
        data: userBody(name),
      })),
    })
    for (const { location } of body.Operations) ids.push(location.split('/').at(-1))
  }
  return ids
}
