import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { issueToken } from '../../src/access/tokens.ts'
import { openDatabase } from '../support/database.ts'
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts'
import { type ListeningSandbox, startSandbox } from '../support/sandbox.ts'
import {
  type Answer,
  addMembers,
  ERROR_SCHEMA,
  groupBody,
  removeMembers,
  type ScimRequest,
  scimClient,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

type Db = TestService['database']['db']

interface Setting {
  readonly service: TestService
  readonly proxy: DatabaseProxy
  readonly sandbox: ListeningSandbox
  /** Not by way of the proxy. */
  readonly db: Db
  readonly annId: string
  readonly groupId: string
  /** How often the log has said this. */
  readonly told: (message: string) => number
}

/** A service that reaches Postgres through a proxy, with Ann in the editors' group. */
async function setting(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Setting> {
  const { db, url } = await openDatabase(t)
  const proxy = await startDatabaseProxy(t, url)
  const sandbox = await startSandbox(t)
  const messages: unknown[] = []
  const service = await startTestService(t, {
    env: { DATABASE_URL: proxy.url, CAMPAIGN_MANAGER_URL: sandbox.url, ...env },
    onLog: ({ msg }) => messages.push(msg),
  })
  const told = (message: string) => messages.filter((each) => each === message).length
  const groupId = (await service.scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const annId = (await service.scim('POST', '/Users', userBody('ann'))).body.id
  await service.scim('PATCH', `/Groups/${groupId}`, addMembers(annId))
  return { service, proxy, sandbox, db, annId, groupId, told }
}

type Request = readonly [method: string, path: string, body?: unknown]

/** Every route that reads or writes the directory. */
const directoryRequests = ({ annId, groupId }: Setting): Request[] => [
  ['GET', '/Users'],
  ['GET', `/Users?filter=${encodeURIComponent('userName eq "ann@example.com"')}`],
  ['GET', `/Users?filter=${encodeURIComponent('userName eq "nobody@example.com"')}`],
  ['GET', `/Users/${annId}`],
  ['POST', '/Users', userBody('bob')],
  ['PUT', `/Users/${annId}`, userBody('ann', { displayName: 'Ann' })],
  ['PATCH', `/Users/${annId}`, setActive(false)],
  ['DELETE', `/Users/${annId}`],
  ['GET', '/Groups'],
  [
    'GET',
    `/Groups?excludedAttributes=members&filter=${encodeURIComponent('displayName eq "Campaign Editor"')}`,
  ],
  ['GET', `/Groups/${groupId}`],
  ['POST', '/Groups', groupBody('Campaign Viewer')],
  ['PUT', `/Groups/${groupId}`, groupBody('Campaign Editor', { members: [] })],
  ['PATCH', `/Groups/${groupId}`, removeMembers(annId)],
  ['DELETE', `/Groups/${groupId}`],
]

/** Those that need the directory only to know who asks, when the token is a stored one. */
const discoveryRequests: Request[] = [
  ['GET', '/ServiceProviderConfig'],
  ['GET', '/ResourceTypes'],
  ['GET', '/Schemas'],
  ['GET', '/Nowhere'],
]

function isUnavailable({ status, headers, body }: Answer): boolean {
  return (
    status === 503 &&
    Number(headers.get('retry-after')) > 0 &&
    headers.get('content-type') === 'application/scim+json' &&
    body.schemas[0] === ERROR_SCHEMA &&
    body.status === '503'
  )
}

/** Asks all at once, and describes every answer that is not "unavailable" as SCIM says it. */
async function availableAnswers(scim: ScimRequest, requests: readonly Request[]): Promise<string[]> {
  const answers = await Promise.all(requests.map((request) => scim(...request)))
  return answers.flatMap((answer, index) => {
    const [method, path] = requests[index] ?? []
    if (isUnavailable(answer)) return []
    return [`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`]
  })
}

const probe = async ({ service }: Setting, path: string) => (await fetch(`${service.url}${path}`)).status

for (const mode of ['refusing', 'silent'] as const) {
  t.test(`while Postgres is ${mode}, every route says so`, async (t) => {
    const at = await setting(t)
    const { service, proxy, db, annId, groupId } = at
    const stored = (await issueToken(db, 'default', 'stored', undefined))?.token ?? ''
    const byStoredToken = scimClient(service.url, stored)
    t.equal((await byStoredToken('GET', `/Users/${annId}`)).status, 200)
    const { rows: before } = await sql`select * from scim_user order by id`.execute(db)

    await proxy.set(mode)
    const [byConfigured, byStored, alive, ready] = await Promise.all([
      availableAnswers(service.scim, directoryRequests(at)),
      availableAnswers(byStoredToken, [...directoryRequests(at), ...discoveryRequests]),
      probe(at, '/healthz'),
      probe(at, '/readyz'),
    ])
    t.same(byConfigured, [], 'by the configured token')
    t.same(byStored, [], 'by a stored token: it is not a wrong one')
    t.equal(alive, 200, 'a restart would mend nothing')
    t.equal(ready, 503)

    await proxy.set('serving')
    t.equal(await probe(at, '/readyz'), 200)
    t.equal((await byStoredToken('GET', `/Groups/${groupId}`)).body.members.length, 1)
    t.same((await sql`select * from scim_user order by id`.execute(db)).rows, before, 'nothing was half done')
    t.equal((await service.scim('POST', '/Users', userBody('bob'))).status, 201)
  })
}

t.test('a commit whose answer is lost is answered as unavailable, and is done once', async (t) => {
  const at = await setting(t)
  const { service, proxy, db, annId, groupId } = at
  const { scim } = service
  await service.settle()

  const lost = async (request: Request): Promise<void> => {
    const before = proxy.commitsLost
    await proxy.set('losing_commit')
    const answer = await scim(...request)
    await proxy.set('serving')
    t.equal(isUnavailable(answer), true, `${request[0]} is answered as unavailable`)
    t.equal(proxy.commitsLost, before + 1, 'the transaction is not run again: it may have been committed')
    // The session that lost its client commits on its own; the next request must not overtake it.
    await until('the lost session has ended', async () => {
      const { rows } = await sql`
        select from pg_stat_activity where datname = current_database() and state <> 'idle'
        and pid <> pg_backend_pid() and backend_type = 'client backend'`.execute(db)
      return rows.length === 0
    })
  }

  await lost(['POST', '/Users', userBody('bob')])
  const again = await scim('POST', '/Users', userBody('bob'))
  t.equal(again.status, 409)
  t.equal(again.body.scimType, 'uniqueness')
  const found = await scim('GET', `/Users?filter=${encodeURIComponent('userName eq "bob@example.com"')}`)
  t.equal(found.body.totalResults, 1)
  const bobId = found.body.Resources[0].id

  await lost(['PATCH', `/Groups/${groupId}`, addMembers(bobId)])
  t.equal((await scim('PATCH', `/Groups/${groupId}`, addMembers(bobId))).status, 204)
  await lost(['DELETE', `/Users/${annId}`])
  t.equal((await scim('DELETE', `/Users/${annId}`)).status, 404)

  // Nobody who answered told the worker; it finds what was committed all the same.
  await service.settle()
  t.same(
    at.sandbox.state.users().map(({ email, roles }) => [email, roles]),
    [['bob@example.com', ['Campaign Editor']]],
  )
})

t.test('connections that Postgres ends during requests lose nothing that was acknowledged', async (t) => {
  const { db, pool, url } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const service = await startTestService(t, {
    env: { DATABASE_URL: url, CAMPAIGN_MANAGER_URL: sandbox.url, RECONCILE: 'on' },
  })
  const { scim } = service
  const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id

  const odd: string[] = []
  let unavailable = 0
  let asked = 0
  let ended = 0
  let ending: Promise<void> = Promise.resolve()
  /** Hits whatever is open, in the middle of a transaction or not. One at a time, or they would end each other. */
  function endSomeConnections(): Promise<void> {
    ending = ending.then(endConnections)
    return ending
  }
  async function endConnections(): Promise<void> {
    const { rowCount } = await pool.query(`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
      order by random() limit 2`)
    ended += rowCount ?? 0
  }
  /** Repeats a request until it is carried out; `done` are the answers that say it is. */
  async function insist(request: Request, ...done: number[]): Promise<Answer> {
    for (;;) {
      asked += 1
      const [answer] = await Promise.all([scim(...request), asked % 5 === 0 && endSomeConnections()])
      if (done.includes(answer.status)) return answer
      if (isUnavailable(answer)) unavailable += 1
      else odd.push(`${request[0]} ${request[1]}: ${answer.status} ${JSON.stringify(answer.body)}`)
      if (odd.length > 10) throw new Error('too many odd answers')
    }
  }
  async function provision(name: string): Promise<string> {
    const created = await insist(['POST', '/Users', userBody(name)], 201, 409)
    const filter = encodeURIComponent(`userName eq "${name}@example.com"`)
    const found = await insist(['GET', `/Users?filter=${filter}`], 200)
    if (found.body.totalResults !== 1) odd.push(`${name}: found ${found.body.totalResults}`)
    const id = found.body.Resources[0]?.id
    if (created.status === 201 && created.body.id !== id) odd.push(`${name}: another id`)
    await insist(['PATCH', `/Groups/${groupId}`, addMembers(id)], 204)
    return id
  }

  const names = Array.from({ length: 36 }, (_, index) => `person-${index}`)
  const lanes = Array.from({ length: 6 }, async (_, lane) => {
    const ids: string[] = []
    for (const name of names.filter((_, index) => index % 6 === lane)) ids.push(await provision(name))
    return ids
  })
  const ids = (await Promise.all(lanes)).flat()
  const group = await insist(['GET', `/Groups/${groupId}`], 200)
  t.ok(ended > 0, 'connections were ended')
  t.comment(`${ended} connections were ended; ${unavailable} of ${asked} requests answered 503 and repeated`)
  t.same(odd, [], 'every request was carried out or answered 503')
  t.same(group.body.members.map(({ value }: { value: string }) => value).sort(), [...ids].sort())
  await until(
    'the worker has caught up',
    async () => {
      // What a broken connection left postponed or claimed would come back by itself, later.
      await sql`update dirty_user set not_before = now() where lease is null and not_before > now()`.execute(
        db,
      )
      await sql`
        update dirty_user set leased_until = now() - interval '1 second'
        where leased_until < now() + interval '55 seconds'`.execute(db)
      return (await sql`select from dirty_user limit 1`.execute(db)).rows.length === 0
    },
    async () => (await sql`select * from dirty_user`.execute(db)).rows,
  )
  t.same(
    sandbox.state.users().map(({ email, roles }) => `${email} ${roles}`),
    names.map((name) => `${name}@example.com Campaign Editor`).sort(),
  )
})

t.test('the worker goes on by itself when Postgres is back', async (t) => {
  const at = await setting(t, { RECONCILE: 'on' })
  const { service, proxy, db, sandbox, annId, groupId, told } = at
  const idle = () =>
    until('nobody is dirty', async () => (await sql`select from dirty_user`.execute(db)).rows.length === 0)
  await idle()

  // Postgres goes away in the middle of a reconciliation: after Campaign Manager wrote, before that is recorded.
  const viewer = (await service.scim('POST', '/Groups', groupBody('Campaign Viewer'))).body.id
  const cut = Promise.withResolvers<void>()
  sandbox.state.onApplied = async () => {
    sandbox.state.onApplied = undefined
    await proxy.set('refusing')
    cut.resolve()
  }
  await service.scim('PATCH', `/Groups/${viewer}`, addMembers(annId))
  await cut.promise
  t.equal(await probe(at, '/readyz'), 503)
  t.equal(await probe(at, '/readyz'), 503)
  await until('no work can be claimed', () => told('no work could be claimed') > 0)
  await proxy.set('serving')
  await until('work can be claimed', () => told('work can be claimed again') > 0)
  t.equal(await probe(at, '/readyz'), 200)
  t.equal(told('no work could be claimed'), 1, 'however often it was tried')
  t.equal(told('not ready: the database does not answer'), 1)
  t.equal(told('the database answers again'), 1)

  // The claim could not be given back, so it lasts until its lease ends, a minute later; here at once.
  await sql`update dirty_user set leased_until = now() - interval '1 second' where lease is not null`.execute(
    db,
  )
  await idle()
  t.same(
    sandbox.state.users().map(({ roles }) => roles),
    [['Campaign Editor', 'Campaign Viewer']],
  )
  t.equal((await service.scim('PATCH', `/Groups/${groupId}`, removeMembers(annId))).status, 204)
  t.equal((await service.scim('PATCH', `/Groups/${viewer}`, removeMembers(annId))).status, 204)
  await idle()
  t.same(sandbox.state.users(), [])
  const { rows } = await sql`select granted, foreign_roles from account`.execute(db)
  t.same(rows, [{ granted: [], foreign_roles: [] }], 'what was written and not recorded was ours')
})
