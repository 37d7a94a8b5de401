import t from 'tap'
import { openDatabase } from '../support/database.ts'
import { type ListeningSandbox, startSandbox } from '../support/sandbox.ts'
import {
  type Answer,
  addMembers,
  groupBody,
  patchBody,
  removeMembers,
  type ScimRequest,
  userBody,
} from '../support/scim-client.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'

t.setTimeout(240_000)

interface Twins {
  /** Two processes on one database and one Campaign Manager. */
  readonly scims: readonly [ScimRequest, ScimRequest]
  readonly sandbox: ListeningSandbox
  readonly query: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
}

async function startTwins(): Promise<Twins> {
  const { url, pool } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const options = { databaseUrl: url, campaignManagerUrl: sandbox.url }
  const [a, b] = await Promise.all([startServiceProcess(t, options), startServiceProcess(t, options)])
  return {
    scims: [a.scim, b.scim],
    sandbox,
    query: async (text, values) => (await pool.query(text, values)).rows,
  }
}

/** Both processes have brought every change to Campaign Manager. */
const converged = ({ query }: Twins) =>
  until(
    'no user is dirty',
    async () => (await query('select from dirty_user limit 1')).length === 0,
    () => query('select lease, attempts, failure, failure_detail from dirty_user'),
  )

async function createPeople({ scims }: Twins, prefix: string, count: number): Promise<string[]> {
  const people = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  const answers = await Promise.all(
    people.map((name, index) => pick(scims, index)('POST', '/Users', userBody(name))),
  )
  return answers.map((answer) => {
    if (answer.status !== 201) throw new Error(`POST /Users answered ${answer.status}`)
    return answer.body.id
  })
}

async function createGroup({ scims }: Twins, role: string): Promise<string> {
  const answer = await scims[0]('POST', '/Groups', groupBody(role))
  if (answer.status !== 201) throw new Error(`POST /Groups answered ${answer.status}`)
  return answer.body.id
}

const pick = ([a, b]: Twins['scims'], index: number): ScimRequest => (index % 2 === 0 ? a : b)

const statuses = (answers: readonly Answer[]) => [...new Set(answers.map(({ status }) => status))]

async function memberIds(scim: ScimRequest, groupId: string): Promise<string[]> {
  const { body } = await scim('GET', `/Groups/${groupId}`)
  return (body.members ?? []).map(({ value }: { value: string }) => value).sort()
}

/** A deadlock that the service retried in silence is one all the same. */
const deadlocks = async ({ query }: Twins) =>
  Number(
    (await query('select deadlocks from pg_stat_database where datname = current_database()'))[0]?.deadlocks,
  )

const twins = await startTwins()

t.test('fifty people join one group at once through two processes, and leave it at once', async (t) => {
  const { scims, sandbox } = twins
  const ids = await createPeople(twins, 'person', 50)
  const group = await createGroup(twins, 'Agents')

  const joins = await Promise.all(
    ids.map((id, index) => pick(scims, index)('PATCH', `/Groups/${group}`, addMembers(id))),
  )
  t.same(statuses(joins), [204])
  t.same(await memberIds(scims[0], group), [...ids].sort(), 'all 50 are members')
  await converged(twins)
  const accounts = sandbox.state.users()
  t.equal(accounts.length, 50)
  t.same([...new Set(accounts.map(({ roles }) => roles.join()))], ['Agents'])

  const leaves = await Promise.all(
    ids.map((id, index) => pick(scims, index)('PATCH', `/Groups/${group}`, removeMembers(id))),
  )
  t.same(statuses(leaves), [204])
  t.same(await memberIds(scims[1], group), [])
  await converged(twins)
  t.same(sandbox.state.users(), [], 'every account is deleted')
  t.same(sandbox.state.overlappingWrites(), [])
  t.equal(await deadlocks(twins), 0)
})

const ROLES = ['Campaign Editor', 'Campaign Viewer', 'Campaign Approver'] as const
const CLIENTS = 8
const ROUNDS = 8

/** mulberry32: the same storm for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** What one client does: it alone concerns itself with its three people, so it knows what must be true of them. */
interface StormClient {
  readonly single: string
  /** Always added and removed by the two operations of one request. */
  readonly pair: readonly [string, string]
  /** `<group> <user>` of the memberships that were acknowledged last. */
  readonly members: Set<string>
  readonly everJoined: Set<string>
  readonly answers: Answer[]
  readonly misread: string[]
}

async function storm(
  { scims }: Twins,
  groups: readonly string[],
  client: StormClient,
  seed: number,
): Promise<void> {
  const random = randomOf(seed)
  for (let round = 0; round < ROUNDS; round += 1) {
    const group = groups[random(groups.length)] ?? ''
    const op = random(2) === 0 ? 'Add' : 'Remove'
    const people = random(2) === 0 ? [client.single] : client.pair
    const operations = people.map((value) => ({ op, path: 'members', value: [{ value }] }))
    client.answers.push(await pick(scims, random(2))('PATCH', `/Groups/${group}`, patchBody(...operations)))
    for (const id of people) {
      if (op === 'Add') {
        client.members.add(`${group} ${id}`)
        client.everJoined.add(id)
      } else client.members.delete(`${group} ${id}`)
    }
    // The other process or the same: what was acknowledged is there.
    const seen = await memberIds(pick(scims, random(2)), group)
    for (const id of [client.single, ...client.pair]) {
      const expected = client.members.has(`${group} ${id}`)
      if (seen.includes(id) !== expected)
        client.misread.push(`round ${round}: ${id} in ${group} is not ${expected}`)
    }
  }
}

/** Reads until told to stop; returns the reads in which only one of a pair was a member. */
async function watchPairs(
  { scims }: Twins,
  groups: readonly string[],
  pairs: readonly (readonly [string, string])[],
  ended: () => boolean,
): Promise<string[]> {
  const torn: string[] = []
  for (let read = 0; !ended(); read += 1) {
    const group = groups[read % groups.length] ?? ''
    const seen = new Set(await memberIds(pick(scims, read), group))
    for (const [one, other] of pairs) {
      if (seen.has(one) !== seen.has(other)) torn.push(`read ${read} of ${group}: ${one} without ${other}`)
    }
  }
  return torn
}

t.test('a storm of additions and removals through two processes', async (t) => {
  const { scims, sandbox } = twins
  const ids = await createPeople(twins, 'storm', CLIENTS * 3)
  const groups = await Promise.all(ROLES.map((role) => createGroup(twins, role)))
  const clients: StormClient[] = Array.from({ length: CLIENTS }, (_, index) => {
    const [single = '', one = '', other = ''] = ids.slice(index * 3)
    return { single, pair: [one, other], members: new Set(), everJoined: new Set(), answers: [], misread: [] }
  })

  let ended = false
  const watched = watchPairs(
    twins,
    groups,
    clients.map(({ pair }) => pair),
    () => ended,
  )
  const seed = Number(process.env.STORM_SEED ?? 1)
  await Promise.all(clients.map((client, index) => storm(twins, groups, client, seed * 1000 + index)))
  ended = true

  t.same(statuses(clients.flatMap(({ answers }) => answers)), [204], 'every request was carried out')
  t.same(
    clients.flatMap(({ misread }) => misread),
    [],
    'what was acknowledged is read at once',
  )
  t.same(await watched, [], 'a request of two operations is never seen half done')

  const expected = new Set(clients.flatMap(({ members }) => [...members]))
  for (const group of groups) {
    const wanted = ids.filter((id) => expected.has(`${group} ${id}`)).sort()
    t.same(await memberIds(scims[0], group), wanted)
  }

  await converged(twins)
  const rolesOf = new Map(sandbox.state.users().map(({ email, roles }) => [email, [...roles].sort()]))
  const everJoined = new Set(clients.flatMap((client) => [...client.everJoined]))
  for (const [index, id] of ids.entries()) {
    const wanted = ROLES.filter((_, group) => expected.has(`${groups[group]} ${id}`)).sort()
    const roles = everJoined.has(id) ? wanted : ['Placeholder']
    t.same(rolesOf.get(`storm-${index}@example.com`) ?? [], roles, `storm-${index}`)
  }
  t.same(sandbox.state.overlappingWrites(), [], 'no two writes to one account at a time')
  t.equal(await deadlocks(twins), 0)
})
