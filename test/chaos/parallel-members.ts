import type { Test } from 'tap'
import { openDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import { groupBody, patchBody, type ScimRequest, userBody } from '../support/scim-client.ts'
import { chaosSeed, pickOf, printFigures, type Random, randomOf, someOf, Tally } from './figures.ts'
import { isLinearizable, type RegisterEvent } from './linearizable.ts'
import { startProcesses } from './processes.ts'
import { waitUntil } from './waiting.ts'

export interface ParallelSize {
  readonly clients: number
  readonly members: number
  /** Of each client; every third is a read. */
  readonly requests: number
}

interface Storm {
  readonly scims: readonly ScimRequest[]
  readonly groupId: string
  readonly members: readonly string[]
  readonly events: Map<string, RegisterEvent[]>
  readonly statuses: Tally
}

/** Everybody adds to and removes from one group at once; each membership behaves as if one came after the other. */
export async function parallelMembers(t: Test, size: ParallelSize): Promise<void> {
  const seed = chaosSeed(t)
  const { url, pool } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const { scims } = await startProcesses(t, 2, { databaseUrl: url, campaignManagerUrl: sandbox.url })
  const [scim] = scims
  if (scim === undefined) throw new Error('no process runs')
  const people = Array.from({ length: size.members }, (_, index) => `parallel-${index}`)
  const created = await Promise.all(people.map((name) => scim('POST', '/Users', userBody(name))))
  const members = created.map(({ body }): string => body.id)
  const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const storm: Storm = { scims, groupId, members, events: new Map(), statuses: new Tally() }

  await Promise.all(
    Array.from({ length: size.clients }, (_, index) =>
      request(storm, randomOf(seed * 1000 + index), size.requests),
    ),
  )
  // Read once more, after all the writes, so that the search also has to explain what is there in the end.
  await readGroup(storm, scim)
  const wrong = members.filter((id) => !isLinearizable(storm.events.get(id) ?? [], false))
  const { body } = await scim('GET', `/Groups/${groupId}`)
  const finally_ = new Set((body.members ?? []).map(({ value }: { value: string }) => value))
  await waitUntil(
    'no user is dirty',
    120_000,
    async () => (await pool.query('select from dirty_user limit 1')).rowCount === 0,
  )
  const deadlocks = await pool.query(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  const events = [...storm.events.values()].flat()
  printFigures(t, {
    'answers to requests': storm.statuses,
    'writes of a membership': events.filter(({ kind }) => kind === 'write').length,
    'reads of a membership': events.filter(({ kind }) => kind === 'read').length,
    'memberships that are not linearizable': wrong.length,
    'deadlocks in Postgres': deadlocks.rows[0]?.deadlocks,
  })
  t.same(wrong, [], 'each membership is linearizable')
  const failures = storm.statuses.total - storm.statuses.of(200) - storm.statuses.of(204)
  t.equal(failures, 0, 'no request fails')
  t.equal(Number(deadlocks.rows[0]?.deadlocks), 0)

  const held = new Map(sandbox.state.users().map(({ email, roles }) => [email, roles.join()]))
  const joined = new Set(
    members.filter((id) => storm.events.get(id)?.some(({ kind, value }) => kind === 'write' && value)),
  )
  const expected = members.flatMap((id, index) => {
    const role = finally_.has(id) ? 'Campaign Editor' : joined.has(id) ? undefined : 'Placeholder'
    return role === undefined ? [] : [[`${people[index]}@example.com`, role]]
  })
  t.same([...held].sort(), expected.sort(), 'Campaign Manager shows the last acknowledged members')
  t.same(sandbox.state.overlappingWrites(), [], 'no two writes to one account at a time')
}

async function request(storm: Storm, random: Random, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const scim = pickOf(random, storm.scims)
    if (n % 6 === 2) await readGroup(storm, scim)
    else if (n % 6 === 5) await readByFilter(storm, scim, pickOf(random, storm.members))
    else await change(storm, scim, random)
  }
}

async function change({ groupId, members, events, statuses }: Storm, scim: ScimRequest, random: Random) {
  const add = random(2) === 0
  const ids = someOf(random, members, 3)
  const value = ids.map((id) => ({ value: id }))
  const from = performance.now()
  const { status } = await scim(
    'PATCH',
    `/Groups/${groupId}`,
    patchBody({ op: add ? 'Add' : 'Remove', path: 'members', value }),
  )
  const to = performance.now()
  statuses.add(status)
  for (const id of ids) eventsOf(events, id).push({ kind: 'write', value: add, from, to })
}

async function readGroup({ groupId, members, events, statuses }: Storm, scim: ScimRequest): Promise<void> {
  const from = performance.now()
  const { status, body } = await scim('GET', `/Groups/${groupId}`)
  const to = performance.now()
  statuses.add(status)
  const present = new Set((body?.members ?? []).map(({ value }: { value: string }) => value))
  for (const id of members) eventsOf(events, id).push({ kind: 'read', value: present.has(id), from, to })
}

async function readByFilter({ events, statuses }: Storm, scim: ScimRequest, id: string): Promise<void> {
  const filter = encodeURIComponent(`members.value eq "${id}"`)
  const from = performance.now()
  const { status, body } = await scim('GET', `/Groups?excludedAttributes=members&filter=${filter}`)
  const to = performance.now()
  statuses.add(status)
  eventsOf(events, id).push({ kind: 'read', value: body?.totalResults > 0, from, to })
}

function eventsOf(events: Map<string, RegisterEvent[]>, id: string): RegisterEvent[] {
  const list = events.get(id) ?? []
  events.set(id, list)
  return list
}
