import { once } from 'node:events'
import { request } from 'node:http'
import { sql } from 'kysely'
import t from 'tap'
import { createClient, revokeClient, rotateSecret } from '../../src/access/oauth-clients.ts'
import { createTenant } from '../../src/access/tenants.ts'
import { sendRaw } from '../security/setup.ts'
import { startCommand } from '../support/command.ts'
import { openDatabase } from '../support/database.ts'
import { startDatabaseProxy } from '../support/database-proxy.ts'
import { userBody } from '../support/scim-client.ts'
import { basic, GRANT, setup } from './oauth-setup.ts'

t.test('a client gets an access token by Basic or in the form, and provisions with it', async (t) => {
  const { token, client, as, db } = await setup(t)
  const { id, secret } = await client()
  for (const [how, answer] of [
    ['Basic', await token(GRANT, basic(id, secret))],
    ['form', await token({ ...GRANT, client_id: id, client_secret: secret, scope: 'scim' })],
  ] as const) {
    t.match(
      answer,
      {
        status: 200,
        body: {
          access_token: /^scim_access_[\w-]{43}$/,
          token_type: 'Bearer',
          expires_in: 3600,
          scope: 'scim',
        },
      },
      how,
    )
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
    t.equal((await as(answer.body.access_token)('POST', '/Users', userBody(how))).status, 201)
  }
  const { rows } = await sql<{ hash: Buffer; used: Date | null }>`
    select secret_hash as hash, last_used_at as used from oauth_client_secret`.execute(db)
  t.equal(rows.length, 1)
  t.notMatch(rows[0]?.hash.toString('latin1'), secret, 'only a hash is kept')
  t.ok(rows[0]?.used)
})

t.test('refusals are as RFC 6749 §5.2 wants them, say nothing of why, and are never kept', async (t) => {
  const { token, client, db, failures, url } = await setup(t)
  const { id, secret } = await client()
  const revoked = await client()
  await revokeClient(db, 'default', revoked.id)
  const expired = await client()
  await sql`update oauth_client_secret set expires_at = now() where client_id = ${expired.id}`.execute(db)
  const refused = [
    ['a wrong secret', 'unknown', basic(id, `${secret}x`)],
    ["another client's secret", 'unknown', basic(id, expired.secret)],
    ['no client', 'unknown', basic('f'.repeat(32), secret)],
    ['no client id', 'unknown', basic("' or 1=1", secret)],
    ['revoked', 'revoked', basic(revoked.id, revoked.secret)],
    ['expired', 'expired', basic(expired.id, expired.secret)],
    ['nothing', 'missing', {}],
    ['another scheme', 'malformed', { authorization: 'Bearer x' }],
  ] as const
  for (const [what, reason, headers] of refused) {
    const before = await failures(reason)
    const answer = await token(GRANT, headers)
    t.strictSame(
      [answer.status, answer.body],
      [401, { error: 'invalid_client', error_description: 'the client could not be authenticated' }],
      what,
    )
    t.equal(answer.headers.get('www-authenticate'), 'Basic realm="oauth2"')
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.equal(await failures(reason), before + 1)
  }
  const form = `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`
  const other = [
    [400, 'invalid_scope', await token(`${form}&scope=openid`)],
    [400, 'invalid_request', await token(`${form}&client_id=${id}`)],
    [400, 'unsupported_grant_type', await token({ grant_type: 'authorization_code' }, basic(id, secret))],
    [400, 'invalid_request', await token(JSON.stringify(GRANT), { 'content-type': 'application/json' })],
    [400, 'invalid_request', await token(form, { 'content-encoding': 'gzip' })],
    [413, 'invalid_request', await token(`${form}&x=${'x'.repeat(70_000)}`)],
  ] as const
  for (const [status, error, answer] of other) {
    t.match(answer, { status, body: { error } })
    t.equal(answer.headers.get('cache-control'), 'no-store')
  }
  const wrongMethod = await fetch(`${url}/oauth2/token?grant_type=client_credentials`)
  t.equal(wrongMethod.status, 405)
  t.equal(wrongMethod.headers.get('allow'), 'POST')
  t.equal(wrongMethod.headers.get('cache-control'), 'no-store')
})

t.test('rotation: both secrets serve during the overlap, and a third is refused', async (t) => {
  const { token, client, db } = await setup(t)
  const { id, secret } = await client()
  const status = async (text: string) => (await token(GRANT, basic(id, text))).status
  const rotation = { overlapHours: 24, secretDays: 365 }
  const second = await rotateSecret(db, 'default', id, rotation)
  if ('refused' in second) throw new Error(second.refused)
  t.strictSame([await status(secret), await status(second.secret)], [200, 200])
  t.strictSame(await rotateSecret(db, 'default', id, rotation), { refused: 'two secrets' })
  const { rows } = await sql<{ hours: number }>`
    select round(extract(epoch from min(expires_at) - now()) / 3600)::integer as hours from oauth_client_secret
    where client_id = ${id}`.execute(db)
  t.strictSame(rows, [{ hours: 24 }])
  await sql`update oauth_client_secret set expires_at = now()
    where expires_at = (select min(expires_at) from oauth_client_secret)`.execute(db)
  t.strictSame([await status(secret), await status(second.secret)], [401, 200], 'the overlap is over')
  t.match(await rotateSecret(db, 'default', id, rotation), { secret: /^scim_secret_/ })
})

t.test('two rotations at the same time make one secret more, not two', async (t) => {
  const { client, db } = await setup(t)
  const { id } = await client()
  const rotate = () => rotateSecret(db, 'default', id, { overlapHours: 1, secretDays: 365 })
  const results = await Promise.all([rotate(), rotate(), rotate()])
  t.equal(results.filter((each) => 'secret' in each).length, 1)
})

t.test('a secret that others know: no overlap ends it and its access tokens at once', async (t) => {
  const { client, access, as, token, db } = await setup(t)
  const first = await client()
  const scim = as(await access(first))
  t.equal((await scim('GET', '/Users')).status, 200)
  const rotated = await rotateSecret(db, 'default', first.id, { overlapHours: 0, secretDays: 365 })
  if ('refused' in rotated) throw new Error(rotated.refused)
  t.equal((await scim('GET', '/Users')).status, 401)
  t.equal((await token(GRANT, basic(first.id, first.secret))).status, 401)
  t.equal((await as(await access({ id: first.id, secret: rotated.secret }))('GET', '/Users')).status, 200)
})

t.test('revoking a client ends its tokens at once, in every process', async (t) => {
  const service = await setup(t)
  const { client, access, as, db } = service
  const beside = await setup(t, { beside: service })
  const ours = await client()
  const other = as(await access(await client()))
  const accessToken = await access(ours)
  const everywhere = [as(accessToken), beside.as(accessToken)]
  for (const scim of everywhere) t.equal((await scim('GET', '/Users')).status, 200)
  t.ok(await revokeClient(db, 'default', ours.id))
  for (const scim of everywhere) t.equal((await scim('GET', '/Users')).status, 401)
  t.equal((await other('GET', '/Users')).status, 200, "another client's goes on")
})

t.test('an access token expires, and goes with the next that is issued', async (t) => {
  const { client, access, as, db, failures } = await setup(t)
  const ours = await client()
  const scim = as(await access(ours))
  await sql`update oauth_access_token set expires_at = now()`.execute(db)
  t.equal((await scim('GET', '/Users')).status, 401)
  t.equal(await failures('expired'), 1)
  await access(ours)
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from oauth_access_token`.execute(db)
  t.strictSame(rows, [{ count: 1 }])
})

t.test("a client's tokens are of its tenant and have its access", async (t) => {
  const { client, access, as, db, token } = await setup(t)
  await createTenant(db, 'acme')
  const reader = as(await access(await client({ access: 'read' })))
  const acmeClient = await client({ tenant: 'acme' })
  const acme = as(await access(acmeClient))
  const ann = await acme('POST', '/Users', userBody('ann'))
  t.equal(ann.status, 201)
  t.equal((await reader('GET', '/Users')).body.totalResults, 0)
  t.equal((await reader('GET', `/Users/${ann.body.id}`)).status, 404)
  t.equal((await reader('POST', '/Users', userBody('bob'))).status, 403, 'read may change nothing')
  t.equal(await revokeClient(db, 'default', acmeClient.id), false, 'a client is revoked by its tenant only')
  t.equal((await acme('GET', '/Users')).status, 200)

  await sql`update tenant set disabled_at = now() where name = 'acme'`.execute(db)
  t.match(await token(GRANT, basic(acmeClient.id, acmeClient.secret)), {
    status: 401,
    body: { error: 'invalid_client' },
  })
})

t.test('while the store is away, nobody is told that the secret is wrong', async (t) => {
  const database = await openDatabase(t)
  const proxy = await startDatabaseProxy(t, database.url)
  const { token } = await setup(t, { env: { DATABASE_URL: proxy.url } })
  const credentials = basic('f'.repeat(32), 'secret')
  t.equal((await token(GRANT, credentials)).status, 401)
  await proxy.set('refusing')
  const answer = await token(GRANT, credentials)
  t.match(answer, { status: 503, body: { error: 'temporarily_unavailable' } })
  t.match(answer.headers.get('retry-after'), /^\d+$/)
  t.equal(answer.headers.get('cache-control'), 'no-store')
})

t.test('RFC 8414: the metadata, and where it is when the issuer has a path', async (t) => {
  const service = await setup(t)
  const { url } = service
  const wellKnown = '/.well-known/oauth-authorization-server'
  t.strictSame(await (await fetch(url + wellKnown)).json(), {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    scopes_supported: ['scim'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'PS256', 'ES256'],
  })
  t.equal((await fetch(`${url}${wellKnown}/elsewhere`)).status, 404)
  const [answer] = await sendRaw(url, `GET ${wellKnown}/x HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n`)
  t.equal(answer?.status, 404, 'a Host that is none')

  const gateway = await setup(t, {
    beside: service,
    env: { PUBLIC_URL: 'https://gateway.example.com/campaigns/scim/v2' },
  })
  const expected = {
    issuer: 'https://gateway.example.com/campaigns',
    token_endpoint: 'https://gateway.example.com/campaigns/oauth2/token',
  }
  t.match(await (await fetch(gateway.url + wellKnown)).json(), expected)
  t.match(await (await fetch(`${gateway.url}${wellKnown}/campaigns`)).json(), expected)
  t.equal((await fetch(`${gateway.url}${wellKnown}/other`)).status, 404)
})

t.test('the metrics warn of a secret that expires, by the last one of each client', async (t) => {
  const { client, db, url } = await setup(t)
  const { id } = await client()
  await sql`update oauth_client_secret set expires_at = now() + interval '10 days'`.execute(db)
  const text = await (await fetch(`${url}/metrics`)).text()
  const [, seconds] = new RegExp(`credential="client:${id}"\\} (\\d+)`).exec(text) ?? []
  t.equal(Math.round(Number(seconds) / 86_400), 10)
})

t.test('two Authorization headers are refused, not chosen from', async (t) => {
  const { url, client } = await setup(t)
  const { id, secret } = await client()
  const { authorization = '' } = basic(id, secret)
  const sent = request(`${url}/oauth2/token`, { method: 'POST' })
  sent.setHeader('content-type', 'application/x-www-form-urlencoded')
  sent.setHeader('authorization', [authorization, 'Basic eDp5'])
  sent.end('grant_type=client_credentials')
  const [answer] = await once(sent, 'response')
  t.equal(answer.statusCode, 400)
  t.match(JSON.parse(Buffer.concat(await answer.toArray()).toString()), { error: 'invalid_request' })
})

t.test('guessing is slowed down, and does not lock the client out', async (t) => {
  const { token, client } = await setup(t)
  const { id, secret } = await client()
  const guesses = []
  for (let guess = 0; guess < 61; guess++) guesses.push(await token(GRANT, basic(id, `guess-${guess}`)))
  t.strictSame([guesses[59]?.status, guesses[60]?.status], [401, 429])
  t.match(guesses[60]?.headers.get('retry-after'), /^\d+$/)
  t.equal(guesses[60]?.headers.get('cache-control'), 'no-store')
  t.equal((await token(GRANT, basic(id, secret))).status, 200)
})

t.test('neither secrets nor tokens nor assertions reach the log', async (t) => {
  const { url: database, db } = await openDatabase(t)
  const created = await createClient(db, {
    tenant: 'default',
    name: 'entra',
    access: 'write',
    proof: { secretDays: 365 },
  })
  if ('refused' in created) throw new Error(created.refused)
  const service = startCommand(t, ['serve'], { DATABASE_URL: database, PORT: '0', LOG_LEVEL: 'trace' })
  const [, url = ''] = await service.printed(/(http:\/\/\S+)\/scim\/v2/)
  const send = async (form: Record<string, string>, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams({ ...GRANT, ...form })
    const answer = await fetch(`${url}/oauth2/token`, { method: 'POST', headers, body })
    return (await answer.json()) as { access_token?: string }
  }
  const secret = created.secret ?? ''
  const { access_token: accessToken = '' } = await send({}, basic(created.clientId, secret))
  await fetch(`${url}/scim/v2/Users`, { headers: { authorization: `Bearer ${accessToken}` } })
  const wrong = 'a-secret-with-a-slip'
  await send({ client_id: created.clientId, client_secret: wrong })
  await send({}, basic(created.clientId, wrong))
  const assertion = 'bm90aGluZw.bm90aGluZw.bm90aGluZw'
  await send({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  service.child.kill('SIGTERM')
  const { stdout } = await service.ended
  t.equal(stdout.match(/token request refused/g)?.length, 3)
  t.match(accessToken, /^scim_access_/)
  const encoded = basic(created.clientId, wrong).authorization?.slice(6) ?? ''
  for (const canary of [secret, accessToken, wrong, encoded, assertion]) t.notOk(stdout.includes(canary))
})
