import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createClient, type Federation, revokeClient } from '../../src/access/oauth-clients.ts'
import { createTenant } from '../../src/access/tenants.ts'
import { systemClock } from '../../src/clock.ts'
import { createSigningKey, type SigningKey, sign, startKeyServer } from '../support/key-server.ts'
import { basic, GRANT, setup as setupService } from './oauth-setup.ts'

const SUBJECT = '0a1b2c3d-0000-4000-8000-000000000001'
const AUDIENCES = ['api://campaigns', '5d5d5d5d-0000-4000-8000-000000000002']

const seconds = () => Math.floor(systemClock.now().getTime() / 1000)

/** A client whose assertions the issuer signs with its key. */
async function setup(t: Test, more: Partial<Federation> = {}) {
  const [service, server, key] = await Promise.all([
    setupService(t),
    startKeyServer(t),
    createSigningKey('first'),
  ])
  const issuer = `${server.url}/directory/v2.0`
  server.publish('/directory/v2.0', issuer, [key])
  const federation: Federation = {
    issuer,
    subject: SUBJECT,
    audiences: AUDIENCES,
    jwksUrl: undefined,
    ...more,
  }
  const { id } = await service.client({ proof: { federation } })
  const claims = () => ({
    iss: issuer,
    sub: SUBJECT,
    aud: AUDIENCES[0],
    iat: seconds(),
    nbf: seconds(),
    exp: seconds() + 600,
  })
  const assertion = (more: object = {}, by: SigningKey = key, header: object = {}) =>
    sign(by, { ...claims(), ...more }, header)
  const ask = (assertion: string, more: Record<string, string> = {}) =>
    service.token({
      ...GRANT,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      ...more,
    })
  return { ...service, server, key, issuer, id, federation, claims, assertion, ask }
}

t.test('an assertion of the issuer stands for the client, with and without its id', async (t) => {
  const { ask, assertion, id, as, server } = await setup(t)
  for (const [what, answer] of [
    ['with its id', await ask(await assertion(), { client_id: id, scope: 'scim' })],
    ['without', await ask(await assertion())],
    ['the other audience', await ask(await assertion({ aud: AUDIENCES[1] }))],
    ['a list of one', await ask(await assertion({ aud: [AUDIENCES[0]] }))],
    [
      'a clock that is five minutes off',
      await ask(await assertion({ exp: seconds() - 290, nbf: seconds() + 290 })),
    ],
    ['no type', await ask(await assertion({}, undefined, { typ: undefined }))],
  ] as const) {
    t.match(answer, { status: 200, body: { token_type: 'Bearer' } }, what)
    t.equal((await as(answer.body.access_token)('GET', '/Users')).status, 200)
  }
  t.strictSame(server.requests, ['/directory/v2.0/.well-known/openid-configuration', '/directory/v2.0/keys'])
})

t.test('assertions that are not believed', async (t) => {
  const { ask, assertion, claims, issuer, key, failures, client } = await setup(t)
  const [other, pss] = await Promise.all([createSigningKey('first'), createSigningKey('first', 'PS512')])
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}.`
  const withSecret = await client()
  const cases: [what: string, reason: string, assertion: string, form?: Record<string, string>][] = [
    ['another issuer', 'unknown', await assertion({ iss: `${issuer}/` })],
    ['NUL in the issuer', 'issuer', await assertion({ iss: `${issuer}\0` })],
    ['NUL in the subject', 'subject', await assertion({ sub: 'some\0body' })],
    ['NUL in the client’s id', 'unknown', await assertion(), { client_id: 'f\0' }],
    ['no issuer', 'issuer', await assertion({ iss: undefined })],
    ['another subject', 'unknown', await assertion({ sub: 'somebody' })],
    ['no subject', 'subject', await assertion({ sub: undefined })],
    ['another audience', 'audience', await assertion({ aud: 'api://campaigns/.default' })],
    ['two audiences', 'audience', await assertion({ aud: AUDIENCES })],
    ['no audience', 'audience', await assertion({ aud: undefined })],
    ["another's signature", 'signature', await assertion({}, other)],
    ['an algorithm that is not offered', 'algorithm', await assertion({}, pss)],
    ['no signature', 'malformed', unsigned],
    ['an unknown key', 'key_unknown', await assertion({}, { ...key, kid: 'second' })],
    ['expired', 'expired', await assertion({ exp: seconds() - 301 })],
    ['good for years', 'long_lived', await assertion({ exp: 99_999_999_999 })],
    ['no expiry', 'malformed', await assertion({ exp: undefined })],
    ['an expiry that is text', 'malformed', await assertion({ exp: '9999999999' })],
    ['not valid yet', 'not_yet_valid', await assertion({ nbf: seconds() + 360 })],
    ['issued in the future', 'not_yet_valid', await assertion({ iat: seconds() + 360 })],
    ['a token for something else', 'malformed', await assertion({}, key, { typ: 'at+jwt' })],
    ['no token', 'malformed', 'scim'],
    ["another client's id", 'issuer', await assertion(), { client_id: withSecret.id }],
    ['no such client', 'unknown', await assertion(), { client_id: 'f'.repeat(32) }],
  ]
  const counts = new Map<string, number>()
  for (const [what, reason, text, form] of cases) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
    const answer = await ask(text, form)
    t.match(answer, { status: 401, body: { error: 'invalid_client' } }, what)
    t.equal(await failures(reason), counts.get(reason), `${what}: ${reason}`)
    t.notMatch(JSON.stringify(answer.body), text, 'it is not quoted')
  }
})

t.test('PS256 and ES256 serve as well, with keys at an address of their own', async (t) => {
  const server = await startKeyServer(t)
  const keys = await Promise.all([createSigningKey('ps', 'PS256'), createSigningKey('ec', 'ES256')])
  server.answers.set('/jwks', { body: { keys: keys.map(({ jwk }) => jwk) } })
  const { ask, assertion } = await setup(t, { jwksUrl: `${server.url}/jwks` })
  for (const key of keys) t.equal((await ask(await assertion({}, key))).status, 200, key.alg)
  t.strictSame(server.requests, ['/jwks'])
})

t.test("while the issuer's keys cannot be had, the assertion is not called wrong", async (t) => {
  const { ask, assertion, server, issuer } = await setup(t)
  server.answers.clear()
  const answer = await ask(await assertion())
  t.match(answer, { status: 503, body: { error: 'temporarily_unavailable' } })
  t.ok(answer.headers.get('retry-after'))
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.notMatch(answer.body, issuer)
})

t.test('a federated client has no secret, and a client with secrets takes no assertion', async (t) => {
  const { token, id, db } = await setup(t)
  t.equal((await token(GRANT, basic(id, 'secret'))).status, 401)
  const { rows } = await sql`select from oauth_client_secret`.execute(db)
  t.equal(rows.length, 0)
})

t.test('one issuer and subject is one client in all tenants, until it is revoked', async (t) => {
  const { db, federation, id, ask, assertion, as } = await setup(t)
  await createTenant(db, 'acme')
  const proof = { federation }
  const create = () => createClient(db, { tenant: 'acme', name: 'x', access: 'write', proof })
  t.strictSame(await create(), { refused: 'federation taken' })
  const accessToken = (await ask(await assertion())).body.access_token
  await revokeClient(db, 'default', id)
  t.equal((await as(accessToken)('GET', '/Users')).status, 401)
  t.equal((await ask(await assertion())).status, 401)
  const ofAcme = await create()
  t.match(ofAcme, { clientId: /./ })
  const answer = await ask(await assertion())
  t.equal(answer.status, 200)
  const { rows } = await sql`
    select tenant.name from oauth_access_token join tenant using (tenant_id)`.execute(db)
  t.strictSame(rows, [{ name: 'acme' }])
  t.equal((await ask(await assertion(), { client_id: id })).status, 401, 'the revoked one stays so')
})
