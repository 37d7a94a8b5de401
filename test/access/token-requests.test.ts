import { once } from 'node:events'
import { request } from 'node:http'
import { sql } from 'kysely'
import t from 'tap'
import { issueToken, listTokens, revokeToken } from '../../src/access/tokens.ts'
import { openDatabase } from '../support/database.ts'
import {
  addMembers,
  ERROR_SCHEMA,
  groupBody,
  scimClient,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { SCIM_TOKEN, startTestService, type TestService } from '../support/service.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'

t.test('exactly one Authorization header is a credential', async (t) => {
  const { url } = await startTestService(t)
  const right = `Bearer ${SCIM_TOKEN}`
  const wrong = `Bearer ${'x'.repeat(40)}`
  t.equal(await statusOf(url, [right]), 200)
  for (const two of [
    [right, right],
    [right, wrong],
    [wrong, right],
    ['', right],
    [right, ''],
  ]) {
    t.equal(await statusOf(url, two), 401, two.map((each) => each.slice(0, 12)).join(' and '))
  }
})

t.test('the scheme is Bearer, in whatever case', async (t) => {
  const { url } = await startTestService(t)
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    t.equal(await statusOf(url, [`${scheme} ${SCIM_TOKEN}`]), 200, scheme)
  }
  for (const other of ['Basic', 'Token', 'BearerX', 'Bearer:', '']) {
    t.equal(await statusOf(url, [`${other} ${SCIM_TOKEN}`]), 401, other)
  }
})

t.test('ToolJet #16217: an empty token is refused, and a challenge comes with every 401', async (t) => {
  const { url } = await startTestService(t)
  const noToken = 'Bearer realm="scim"'
  const wrongToken = 'Bearer realm="scim", error="invalid_token"'
  const cases: [authorization: string | undefined, challenge: string][] = [
    [undefined, noToken],
    ['', noToken],
    [' ', noToken],
    ['Bearer', noToken],
    ['Bearer ', noToken],
    ['Bearer    ', noToken],
    [`Basic ${btoa(`x:${SCIM_TOKEN}`)}`, noToken],
    ['Bearer undefined', wrongToken],
    ['Bearer null', wrongToken],
    ['Bearer ""', wrongToken],
    [`Bearer ${SCIM_TOKEN}x`, wrongToken],
  ]
  for (const [authorization, challenge] of cases) {
    const answer = await fetch(`${url}/scim/v2/Users`, {
      headers: authorization === undefined ? {} : { authorization },
    })
    t.equal(answer.status, 401, JSON.stringify(authorization))
    t.equal(answer.headers.get('www-authenticate'), challenge)
    t.match(await answer.json(), { schemas: [ERROR_SCHEMA], status: '401' })
  }
})

t.test('ToolJet #16217: with no SCIM_TOKEN an empty one is not equal to it', async (t) => {
  const { url } = await startTestService(t, { env: { SCIM_TOKEN: '' } })
  for (const authorization of ['Bearer', 'Bearer ', 'Bearer undefined', 'Bearer null']) {
    t.equal(await statusOf(url, [authorization]), 401, authorization)
  }
})

t.test('a token that may read searches, and changes nothing', async (t) => {
  const service = await startTestService(t)
  const { scim, url } = service
  const reader = scimClient(url, await tokenOf(service, 'read'))
  const writer = scimClient(url, await tokenOf(service, 'write'))
  const ann = await writer('POST', '/Users', userBody('ann'))
  const group = await scim('POST', '/Groups', groupBody('Agents'))
  t.equal(ann.status, 201)
  const search = { schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'] }
  for (const path of ['/Users', `/Users/${ann.body.id}`, '/Groups', '/Schemas', '/ServiceProviderConfig']) {
    t.equal((await reader('GET', path)).status, 200, path)
  }
  for (const path of ['/.search', '/Users/.search', '/Groups/.search']) {
    t.match(await reader('POST', path, search), { status: 200 }, path)
  }
  const before = [await scim('GET', `/Users/${ann.body.id}`), await scim('GET', `/Groups/${group.body.id}`)]
  const changes: [method: string, path: string, body?: object][] = [
    ['POST', '/Users', userBody('bob')],
    ['PUT', `/Users/${ann.body.id}`, userBody('bob')],
    ['PATCH', `/Users/${ann.body.id}`, setActive(false)],
    ['DELETE', `/Users/${ann.body.id}`],
    ['POST', '/Groups', groupBody('Placeholder')],
    ['PUT', `/Groups/${group.body.id}`, groupBody('Agents', { members: [{ value: ann.body.id }] })],
    ['PATCH', `/Groups/${group.body.id}`, addMembers(ann.body.id)],
    ['DELETE', `/Groups/${group.body.id}`],
    ['POST', '/Bulk', { Operations: [{ method: 'DELETE', path: `/Users/${ann.body.id}` }] }],
    ['DELETE', '/Users/.search'],
    ['PUT', '/.search', search],
    ['POST', '/Users/x.search', {}],
  ]
  for (const [method, path, body] of changes) {
    const answer = await reader(method, path, body)
    t.match(answer, { status: 403, body: { schemas: [ERROR_SCHEMA], status: '403' } }, `${method} ${path}`)
    t.match(answer.body.detail, /may read/)
    t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="scim", error="insufficient_scope"')
  }
  const after = [await scim('GET', `/Users/${ann.body.id}`), await scim('GET', `/Groups/${group.body.id}`)]
  t.same(
    after.map(({ body }) => body),
    before.map(({ body }) => body),
  )
  t.equal((await scim('GET', '/Users')).body.totalResults, 1)
})

t.test('two tokens in force at a time; each ends by itself', async (t) => {
  const service = await startTestService(t)
  const { db } = service.database
  const [one, two] = [await issueToken(db, 'default', 'x', 1), await issueToken(db, 'default', 'x', 1)]
  const status = (issued: typeof one) => statusOf(service.url, [`Bearer ${issued?.token}`])
  t.same([await status(one), await status(two)], [200, 200])
  await revokeToken(db, 'default', one?.id ?? '')
  t.same([await status(one), await status(two)], [401, 200])
  await sql`update scim_token set expires_at = now() where token_id = ${two?.id}`.execute(db)
  t.same([await status(one), await status(two)], [401, 401])
})

t.test('when a token was last used is written beside the request', async (t) => {
  const service = await startTestService(t)
  const { db } = service.database
  const token = await tokenOf(service, 'write')
  t.match(await listTokens(db, undefined), [{ lastUsed: null }])
  t.equal(
    await statusOf(service.url, [`Bearer ${token.slice(0, -1)}${token.endsWith('x') ? 'y' : 'x'}`]),
    401,
  )
  t.equal(await statusOf(service.url, [`Bearer ${token}`]), 200)
  const lastUsed = await until('the use is written', async () => {
    const [listed] = await listTokens(db, undefined)
    return listed?.lastUsed ?? undefined
  })
  t.equal(lastUsed.getTime() % 60_000, 0)
})

t.test('a request is answered although its use cannot be written', async (t) => {
  const service = await startTestService(t)
  const token = await tokenOf(service, 'write')
  await service.database.pool.query(`create function refuse() returns trigger language plpgsql as
    'begin raise exception ''no''; end'`)
  await service.database.pool.query(
    'create trigger refuse before update on scim_token for each row execute function refuse()',
  )
  t.teardown(() => service.database.pool.query('drop function refuse cascade'))
  t.equal(await statusOf(service.url, [`Bearer ${token}`]), 200)
  t.equal(await statusOf(service.url, [`Bearer ${token}`]), 200)
})

t.test('too many failures are answered 429, and a right token from there passes all the same', async (t) => {
  const { url } = await startTestService(t, { env: { TRUST_PROXY: '127.0.0.1' } })
  const ask = (token: string, source: string) =>
    fetch(`${url}/scim/v2/Users`, {
      headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': source },
    })
  for (let failure = 1; failure <= 60; failure++) {
    const answer = await ask('wrong', '192.0.2.1')
    if (answer.status !== 401) t.fail(`failure ${failure} is answered ${answer.status}`)
    await answer.body?.cancel()
  }
  const refused = await ask('wrong', '192.0.2.1')
  t.equal(refused.status, 429)
  t.match(refused.headers.get('retry-after'), /^([1-9]|[1-5]\d|60)$/)
  t.match(await refused.json(), { schemas: [ERROR_SCHEMA], status: '429' })
  t.equal((await ask(SCIM_TOKEN, '192.0.2.1')).status, 200, 'nobody can lock a tenant out')
  t.equal((await ask('wrong', '192.0.2.1')).status, 429, 'nor does a right one open the door again')
  t.equal((await ask('wrong', '192.0.2.2')).status, 401, 'another address has a count of its own')
  const metrics = await (await fetch(`${url}/metrics`)).text()
  t.match(metrics, /scim_bridge_auth_failures_total\{reason="malformed"\} 63/, 'all are counted')
})

t.test('the log: who came, who was refused, and once that too many are', async (t) => {
  const service = await startTestService(t)
  const { db } = service.database
  const right = await issueToken(db, 'default', 'x', 1)
  const expired = await issueToken(db, 'default', 'x', 1)
  await sql`update scim_token set expires_at = now() where token_id = ${expired?.id}`.execute(db)
  const process = await startServiceProcess(t, {
    databaseUrl: service.database.url,
    campaignManagerUrl: service.campaignManagerUrl,
    env: { LOG_LEVEL: 'info' },
  })
  t.equal(await statusOf(process.url, [`Bearer ${right?.token}`]), 200)
  for (let failure = 1; failure <= 70; failure++) {
    t.equal(await statusOf(process.url, [`Bearer ${expired?.token}`]), failure <= 60 ? 401 : 429)
  }
  process.child.kill('SIGTERM')
  const { stdout } = await process.ended
  const lines = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  const failures = lines.filter(({ msg }) => msg === 'authentication failed')
  t.equal(failures.length, 60)
  t.match(failures[0], { reason: 'expired', source: '127.0.0.1', credential: `token:${expired?.id}` })
  const excess = lines.filter(({ msg }) => /too many authentication failures/.test(msg))
  t.match(excess, [{ source: '127.0.0.1' }])
  t.equal(excess.length, 1)
  const requests = lines.filter(({ msg }) => msg === 'request')
  t.equal(requests.length, 61, 'those beyond the limit are not logged singly')
  t.match(requests[0], { status: 200, credential: `token:${right?.id}` })
  t.notOk(stdout.includes((right?.token ?? '').slice(-43)))
  t.notOk(stdout.includes((expired?.token ?? '').slice(-43)))
})

t.test('of two processes that only answer, one warns of a token that is about to expire', async (t) => {
  const { db, url } = await openDatabase(t)
  const issued = await issueToken(db, 'default', 'entra', 5)
  await sql`update scim_token set last_used_at = now()`.execute(db)
  const start = () =>
    startServiceProcess(t, {
      databaseUrl: url,
      // Nobody is there, and nobody is asked.
      campaignManagerUrl: 'http://127.0.0.1:9',
      env: { LOG_LEVEL: 'info', RECONCILE: 'off' },
    })
  const both = [await start(), await start()]
  const metrics = await (await fetch(`${both[0]?.url}/metrics`)).text()
  for (const { child } of both) child.kill('SIGTERM')
  const logs = await Promise.all(both.map(({ ended }) => ended))
  const warnings = logs
    .flatMap(({ stdout }) => stdout.split('\n'))
    .filter((line) => line.includes('a token in use expires'))
    .map((line) => JSON.parse(line))
  t.match(warnings, [{ tenant: 'default', credential: `token:${issued?.id}`, name: 'entra' }])
  t.equal(warnings.length, 1)
  const expiry = new RegExp(
    `scim_bridge_credential_expiry_seconds\\{tenant="default",credential="token:${issued?.id}"\\} (\\S+)`,
  ).exec(metrics)
  t.equal(Math.round(Number(expiry?.[1]) / 86_400), 5)
})

async function tokenOf({ database }: TestService, access: 'read' | 'write'): Promise<string> {
  return (await issueToken(database.db, 'default', access, 1, { access }))?.token ?? ''
}

/** Sends just these Authorization headers, each in a line of its own. */
async function statusOf(url: string, authorizations: readonly string[]): Promise<number | undefined> {
  const sent = request(`${url}/scim/v2/Users`, { headers: { authorization: [...authorizations] as never } })
  sent.end()
  const [response] = await once(sent, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}
