import { CompactEncrypt, CompactSign, exportSPKI, importJWK, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import {
  allowEntraTokens,
  ENTRA_PROVISIONING_APP,
  refuseEntraTokens,
} from '../../src/access/entra-issuers.ts'
import { createTenant } from '../../src/access/tenants.ts'
import { systemClock } from '../../src/clock.ts'
import { createSigningKey, type SigningKey, sign, startKeyServer } from '../support/key-server.ts'
import { userBody } from '../support/scim-client.ts'
import { setup as setupService } from './oauth-setup.ts'

const TID = '11111111-2222-4333-8444-555555555555'
const OTHER_TID = '99999999-2222-4333-8444-555555555555'
/** Of every custom application in every directory (entra-client.md §7.1). */
const AUDIENCE = '8adf8e6e-67b2-4cf2-a259-e3dc5476c621'

const seconds = () => Math.floor(systemClock.now().getTime() / 1000)
const v1Issuer = (tid: string) => `https://sts.windows.net/${tid}/`

/** A service whose tenant `default` accepts the directory's tokens, and Entra with the keys of two directories. */
async function setup(t: Test) {
  const server = await startKeyServer(t)
  const [key, otherKey] = await Promise.all([createSigningKey('k1'), createSigningKey('k2')])
  for (const [tid, keys] of [
    [TID, [key]],
    [OTHER_TID, [otherKey]],
  ] as const) {
    server.publish(`/${tid}`, v1Issuer(tid), keys)
    server.publish(`/${tid}/v2.0`, `${server.url}/${tid}/v2.0`, keys)
  }
  const service = await setupService(t, { env: { ENTRA_AUTHORITY: server.url } })
  const issuer = { entraTenantId: TID, audience: AUDIENCE, appId: ENTRA_PROVISIONING_APP }
  await allowEntraTokens(service.db, 'default', issuer)
  const claims = (more: object = {}) => ({
    aud: AUDIENCE,
    iss: v1Issuer(TID),
    iat: seconds(),
    nbf: seconds(),
    exp: seconds() + 3600,
    appid: ENTRA_PROVISIONING_APP,
    appidacr: '2',
    oid: 'b0b0b0b0-0000-4000-8000-000000000003',
    sub: 'b0b0b0b0-0000-4000-8000-000000000003',
    tid: TID,
    ver: '1.0',
    ...more,
  })
  const token = (more: object = {}, by: SigningKey = key, header: object = {}) =>
    sign(by, claims(more), header)
  const get = (text: string) => service.as(text)('GET', '/Users')
  const counts = new Map<string, number>()
  /** Refused, for this reason, which the answer does not tell. */
  const refused = async (t: Test, what: string, reason: string, text: string) => {
    const answer = await get(text)
    t.equal(answer.status, 401, what)
    t.match(answer.body.detail, /^the bearer token is not valid \[request /)
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
    t.equal(await service.failures(reason), counts.get(reason), `${what}: ${reason}`)
  }
  return { ...service, server, key, otherKey, issuer, claims, token, get, refused }
}

/** For tokens that are refused, which changes nothing. */
const refusing = setup(t)

t.test('Entra provisions with a token that it issued itself, of either version', async (t) => {
  const { as, token, server, get } = await setup(t)
  t.equal((await as(await token())('POST', '/Users', userBody('ann'))).status, 201)
  t.equal((await get(await token({ exp: seconds() - 290 }))).status, 200, 'clocks may differ by five minutes')
  const v2 = { iss: `${server.url}/${TID}/v2.0`, ver: '2.0', appid: undefined, azp: ENTRA_PROVISIONING_APP }
  t.match(await get(await token({ ...v2, idtyp: 'app' })), { status: 200, body: { totalResults: 1 } })
})

t.test('it is off unless switched on, and off at once', async (t) => {
  const { token, get, db, refused, issuer, server } = await setup(t)
  const text = await token()
  t.equal((await get(text)).status, 200)
  await refuseEntraTokens(db, 'default')
  await refused(t, 'switched off', 'issuer', text)
  server.requests.length = 0
  await refused(
    t,
    'a directory that nobody knows',
    'issuer',
    await token({ tid: OTHER_TID, iss: v1Issuer(OTHER_TID) }),
  )
  t.strictSame(server.requests, [], 'nobody is asked about it')
  await allowEntraTokens(db, 'default', issuer)
  t.equal((await get(text)).status, 200)
})

t.test('one directory and audience is one tenant', async (t) => {
  const { db, issuer, get, token, as } = await setup(t)
  await createTenant(db, 'acme')
  t.equal(await allowEntraTokens(db, 'acme', issuer), 'taken')
  t.equal(await allowEntraTokens(db, 'acme', { ...issuer, audience: 'api://acme' }), 'done')
  t.equal((await as(await token({ aud: 'api://acme' }))('POST', '/Users', userBody('ann'))).status, 201)
  t.match(await get(await token()), { body: { totalResults: 0 } })
  t.match(await get(await token({ aud: 'api://acme' })), { body: { totalResults: 1 } })
})

t.test('alg=none', async (t) => {
  const { claims, refused } = await refusing
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  for (const alg of ['none', 'None', 'NONE']) {
    await refused(t, alg, 'malformed', `${part({ alg, typ: 'JWT' })}.${part(claims())}.`)
    await refused(t, alg, 'algorithm', `${part({ alg, typ: 'JWT' })}.${part(claims())}.AAAA`)
  }
})

t.test(
  'HS256 signed with the RSA public key, and with a key that Microsoft published in a sample',
  async (t) => {
    const { claims, refused, key } = await refusing
    for (const secret of [
      await exportSPKI(key.publicKey),
      JSON.stringify(key.jwk),
      'A1B2C3D4E5F6A1B2C3D4E5F6A1B2C3D4',
    ]) {
      const text = await new SignJWT(claims())
        .setProtectedHeader({ alg: 'HS256', kid: 'k1', typ: 'JWT' })
        .sign(new TextEncoder().encode(secret))
      await refused(t, 'HS256', 'algorithm', text)
    }
  },
)

t.test("another directory's valid token", async (t) => {
  const { token, refused, otherKey } = await refusing
  const theirs = { tid: OTHER_TID, iss: v1Issuer(OTHER_TID) }
  await refused(t, 'as it is', 'issuer', await token(theirs, otherKey))
  await refused(t, 'that claims our tid', 'issuer', await token({ ...theirs, tid: TID }, otherKey))
  await refused(t, 'that claims to be of ours', 'key_unknown', await token({}, otherKey))
  await refused(t, "with our key's id", 'signature', await token({}, { ...otherKey, kid: 'k1' }))
  await refused(t, 'no tid', 'issuer', await token({ tid: undefined }))
})

t.test('an issuer that only looks like it', async (t) => {
  const { token, refused, server } = await refusing
  for (const iss of [
    `https://sts.windows.net/${TID}`,
    `https://sts.windows.net/${TID}/x`,
    `https://sts.windows.net.example.com/${TID}/`,
    `${server.url}/${TID}/v2.0/`,
    `${server.url}/common/v2.0`,
  ]) {
    await refused(t, iss, 'issuer', await token({ iss }))
  }
})

t.test('the right directory and the wrong audience', async (t) => {
  const { token, refused } = await refusing
  await refused(t, 'another', 'audience', await token({ aud: '00000003-0000-0000-c000-000000000000' }))
  await refused(t, 'a longer one', 'audience', await token({ aud: `${AUDIENCE}/x` }))
  await refused(t, 'none', 'audience', await token({ aud: undefined }))
})

t.test('two audiences', async (t) => {
  const { token, refused } = await refusing
  await refused(t, 'two', 'audience', await token({ aud: [AUDIENCE, 'api://else'] }))
  await refused(t, 'a list of one, which Entra does not send', 'audience', await token({ aud: [AUDIENCE] }))
})

t.test('keys that the token brings along or points to', async (t) => {
  const { token, refused, server } = await setup(t)
  const evil = await createSigningKey('k1')
  server.answers.set('/evil', { body: { keys: [evil.jwk] } })
  const header = { jwk: evil.jwk, jku: `${server.url}/evil`, x5u: `${server.url}/evil`, x5c: ['MIIB'] }
  await refused(t, 'with the id of a real one', 'signature', await token({}, evil, header))
  await refused(t, 'with no id', 'signature', await token({}, evil, { ...header, kid: undefined }))
  t.notOk(server.requests.includes('/evil'))
})

t.test('key ids that are paths, SQL, or no text at all', async (t) => {
  const { token, refused, server, key } = await setup(t)
  for (const kid of [
    '../../../../dev/null',
    "k1' or '1'='1",
    '/evil',
    `${server.url}/evil`,
    'K1',
    '__proto__',
  ]) {
    await refused(t, kid, 'key_unknown', await token({}, { ...key, kid }))
  }
  t.equal(server.requests.length, 2, 'one fetch, at the fixed address')
  t.notOk(server.requests.some((path) => !path.startsWith(`/${TID}/`)))
})

t.test('expired by a second beyond what clocks may differ, or without an end or beginning', async (t) => {
  const { token, refused } = await refusing
  await refused(t, 'expired', 'expired', await token({ exp: seconds() - 301 }))
  await refused(t, 'not yet', 'not_yet_valid', await token({ nbf: seconds() + 360 }))
  await refused(t, 'no exp', 'malformed', await token({ exp: undefined }))
  await refused(t, 'no nbf', 'malformed', await token({ nbf: undefined }))
})

t.test('an encrypted token', async (t) => {
  const { claims, refused, key } = await refusing
  const text = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(claims())))
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'k1' })
    .encrypt(await importJWK({ ...key.jwk, use: 'enc' }, 'RSA-OAEP-256'))
  await refused(t, 'JWE', 'malformed', text)
})

t.test('a claim twice', async (t) => {
  const { claims, refused, key, get } = await refusing
  const signText = (text: string) =>
    new CompactSign(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(key.privateKey)
  const text = JSON.stringify(claims())
  t.equal((await get(await signText(text))).status, 200)
  for (const twice of [
    `{"aud":"api://else",${text.slice(1)}`,
    `${text.slice(0, -1)},"t\\u0069d":"${OTHER_TID}"}`,
    `${text.slice(0, -1)},"deep":[{"a":1,"a":2}]}`,
  ]) {
    await refused(t, twice.slice(0, 30), 'malformed', await signText(twice))
  }
  const once = `${text.slice(0, -1)},"deep":[{"a":"tid"},{"a":"x:{\\"tid\\":1}"}]}`
  t.equal((await get(await signText(once))).status, 200, 'the same name in different objects, or as a value')
})

t.test('another caller', async (t) => {
  const { token, refused } = await refusing
  await refused(t, 'another application', 'caller', await token({ appid: OTHER_TID }))
  await refused(t, 'none', 'caller', await token({ appid: undefined }))
  await refused(t, 'two that differ', 'caller', await token({ azp: OTHER_TID }))
})

t.test('tokens for people, and ID tokens', async (t) => {
  const { token, refused } = await refusing
  for (const more of [
    { scp: 'user_impersonation' },
    { idtyp: 'user' },
    { nonce: 'n' },
    { upn: 'ann@example.com' },
    { preferred_username: 'ann@example.com' },
  ]) {
    await refused(t, JSON.stringify(more), 'token_type', await token(more))
  }
})

t.test('keys that cannot be had are no wrong token', async (t) => {
  const { token, get, server, failures } = await setup(t)
  server.answers.set(`/${TID}/keys`, { status: 500, body: 'away' })
  const answer = await get(await token())
  t.equal(answer.status, 503)
  t.match(answer.headers.get('retry-after'), /^\d+$/)
  t.equal(await failures('key_unknown'), 0)
})
