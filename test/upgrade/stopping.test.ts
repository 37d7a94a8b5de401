// Whoever sends requests here learns from /readyz, a little late, that a process is to stop: until then it answers.
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { createDatabase, openDatabase } from '../support/database.ts'
import { type Answer, patchBody, userBody } from '../support/scim-client.ts'
import { SCIM_TOKEN } from '../support/service.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'

/** Asks over the agent's connection, and says whether that had been used before. */
function probe(url: string, agent: Agent): Promise<{ status: number; connection: string; reused: boolean }> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/readyz`, { agent }, (response) => {
      const { statusCode: status = 0, headers } = response
      response.resume().on('end', () => {
        resolve({ status, connection: headers.connection ?? '', reused: request.reusedSocket })
      })
    }).on('error', reject)
  })
}

async function setUp(t: Test) {
  const { url } = await createDatabase(t)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const service = await startServiceProcess(t, {
    databaseUrl: url,
    campaignManagerUrl: 'http://127.0.0.1:1',
    env: { RECONCILE: 'off', LOG_LEVEL: 'info' },
  })
  return { service, agent }
}

t.test('a process that is asked to stop says so, and answers what still arrives', async (t) => {
  const { service, agent } = await setUp(t)
  t.match(await probe(service.url, agent), { status: 200, connection: 'keep-alive' })
  service.child.kill('SIGTERM')
  await service.printed(/"msg":"stopping"/)
  t.same(await probe(service.url, agent), { status: 503, connection: 'close', reused: true })
  t.same(await probe(service.url, agent), { status: 503, connection: 'close', reused: false })
  const created = await service.scim('POST', '/Users', userBody('late'))
  t.equal(created.status, 201)
  t.equal(created.headers.get('connection'), 'close')
  t.match(await service.ended, { status: 0, stdout: /"msg":"stopped"/ })
})

const BULK_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const RENAMED = patchBody({ op: 'Replace', path: 'displayName', value: 'Renamed' })

/** A user whose row somebody else has locked; a PATCH of it, and a bulk request with one between two creations, wait for that. */
async function requestsThatWait(t: Test, env: Record<string, string> = {}) {
  const { url, pool } = await openDatabase(t)
  const service = await startServiceProcess(t, {
    databaseUrl: url,
    campaignManagerUrl: 'http://127.0.0.1:1',
    env: { RECONCILE: 'off', LOG_LEVEL: 'info', ...env },
  })
  const { id } = (await service.scim('POST', '/Users', userBody('ann'))).body
  const other = await pool.connect()
  await other.query('begin')
  await other.query('select from scim_user where id = $1 for update', [id])
  const release = async () => {
    await other.query('rollback')
    other.release()
  }
  const patch = service.scim('PATCH', `/Users/${id}`, RENAMED)
  const bulk = service.scim('POST', '/Bulk', {
    schemas: [BULK_SCHEMA],
    Operations: [
      { method: 'POST', path: '/Users', bulkId: 'before', data: userBody('before') },
      { method: 'PATCH', path: `/Users/${id}`, data: RENAMED },
      { method: 'POST', path: '/Users', bulkId: 'after', data: userBody('after') },
    ],
  })
  await until('both wait', async () => {
    const { rows } = await pool.query(
      `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    )
    return rows.length === 2
  })
  const names = async () =>
    (await pool.query('select name_key from scim_user order by name_key')).rows.map((row) => row.name_key)
  return { service, patch, bulk, release, names }
}

const statuses = ({ body }: Answer): string[] =>
  body.Operations.map(({ status }: { status: string }) => status)

t.test('requests that wait for long are answered, and a bulk request with what it has done', async (t) => {
  const { service, patch, bulk, release, names } = await requestsThatWait(t)
  t.equal((await fetch(`${service.url}/readyz`)).status, 200)
  service.child.kill('SIGTERM')
  await until('nobody listens', () =>
    fetch(`${service.url}/readyz`).then(
      () => false,
      () => true,
    ),
  )
  await release()
  const answer = await patch
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('connection'), 'close')
  const [first, second, third = ''] = statuses(await bulk)
  t.same([first, second], ['201', '200'])
  t.match(third, /^(201|503)$/, 'done, or not begun')
  t.match(await service.ended, { status: 0, stdout: /"msg":"stopped"/ })
  const after = third === '201' ? ['after@example.com'] : []
  t.same(await names(), [...after, 'ann@example.com', 'before@example.com'])
})

t.test('requests that do not end are answered as if Postgres were away', async (t) => {
  const { service, patch, bulk, release, names } = await requestsThatWait(t)
  const { hostname, port } = new URL(service.url)
  const unfinished = connect(Number(port), hostname)
  t.teardown(() => unfinished.destroy())
  const head = [
    'POST /scim/v2/Users HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${SCIM_TOKEN}`,
    'Content-Type: application/scim+json',
    'Content-Length: 1000',
    'Expect: 100-continue',
  ]
  unfinished.write(`${head.join('\r\n')}\r\n\r\n`)
  await once(unfinished, 'data')
  const refusal = once(unfinished, 'data')
  service.child.kill('SIGTERM')
  const answer = await patch
  t.match(answer, { status: 503, body: { status: '503', detail: /unavailable at the moment; try again/ } })
  t.equal(answer.headers.get('content-type'), 'application/scim+json')
  t.equal(answer.headers.get('retry-after'), '5')
  t.same(statuses(await bulk), ['201', '503', '503'])
  t.match(String(await refusal), /^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: 5\r\n/i)
  t.match(await service.ended, { status: 0, signal: null, stdout: /"msg":"stopped"/ })
  await release()
  t.same(await names(), ['ann@example.com', 'before@example.com'])
})
