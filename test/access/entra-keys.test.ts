import t, { type Test } from 'tap'
import { createFindEntraKeys } from '../../src/access/entra-keys.ts'
import { createKeySource, jwksAt } from '../../src/access/jwks.ts'
import { fetchJson, KeysUnavailable } from '../../src/access/jwks-fetch.ts'
import { createFindKeys } from '../../src/access/oauth-authenticate.ts'
import { createSigningKey, startKeyServer } from '../support/key-server.ts'

const MINUTE = 60_000
const header = (kid: string) => ({ alg: 'RS256', kid })

/** An issuer that publishes the key `a`, and a clock that stands still. */
async function setup(t: Test) {
  const server = await startKeyServer(t)
  const [a, b] = await Promise.all([createSigningKey('a'), createSigningKey('b')])
  const issuer = `${server.url}/issuer`
  server.publish('/issuer', issuer, [a])
  let time = Date.UTC(2026, 0, 1)
  const now = () => new Date(time)
  return {
    server,
    a,
    b,
    issuer,
    now,
    pass: (ms: number) => {
      time += ms
    },
    publish: (...keys: (typeof a)[]) => server.publish('/issuer', issuer, keys),
    keys: createFindKeys(fetchJson, now)(issuer, undefined),
  }
}

t.test(
  'keys are found by discovery, fetched once for all who ask, and looked at again after an hour',
  async (t) => {
    const { server, keys, issuer, pass } = await setup(t)
    const found = await Promise.all([keys.find(header('a')), keys.find(header('a')), keys.find(header('a'))])
    t.ok(found.every((key) => key?.type === 'public'))
    t.equal(await keys.issuer(), issuer)
    const once = ['/issuer/.well-known/openid-configuration', '/issuer/keys']
    t.strictSame(server.requests, once)
    pass(59 * MINUTE)
    await keys.find(header('a'))
    t.strictSame(server.requests, once)
    pass(MINUTE)
    await keys.find(header('a'))
    t.strictSame(server.requests, [...once, ...once])
  },
)

t.test('a made-up key id asks the issuer once in half a minute at most', async (t) => {
  const { server, keys, pass } = await setup(t)
  for (const kid of ['x', 'y', 'z', '../../keys', "' or 1=1 --"]) {
    t.equal(await keys.find(header(kid)), undefined)
  }
  t.equal(server.requests.length, 2)
  pass(30_000)
  await Promise.all(['x', 'y', 'z'].map((kid) => keys.find(header(kid))))
  t.equal(server.requests.length, 4, 'one more fetch')
  await keys.find(header('a'))
  t.equal(server.requests.length, 4, 'a known key needs none')
})

t.test('a new key is found as soon as the cool-down is over, and a withdrawn one no more', async (t) => {
  const { keys, a, b, publish, pass } = await setup(t)
  t.ok(await keys.find(header('a')))
  publish(a, b)
  t.equal(await keys.find(header('b')), undefined, 'still cooling down')
  pass(30_000)
  t.ok(await keys.find(header('b')))
  publish(b)
  pass(60 * MINUTE)
  t.equal(await keys.find(header('a')), undefined)
})

t.test(
  'while keys cannot be fetched, those that were good are so for a day, and unknown ones are not called wrong',
  async (t) => {
    const { server, keys, pass } = await setup(t)
    t.ok(await keys.find(header('a')))
    server.answers.set('/issuer/keys', { status: 500, body: {} })
    pass(61 * MINUTE)
    t.ok(await keys.find(header('a')))
    await t.rejects(keys.find(header('b')), { name: 'KeysUnavailable', message: /answered 500/ })
    t.equal(server.requests.length, 4, 'a failure cools down, too')
    pass(23 * 60 * MINUTE)
    await t.rejects(keys.find(header('a')), { name: 'KeysUnavailable' })
  },
)

t.test('what an issuer answers is not taken for keys', async (t) => {
  const { server, issuer, a, now } = await setup(t)
  const large = JSON.stringify({ keys: [], padding: 'x'.repeat(300 * 1024) })
  server.publish('/else', issuer, [a])
  const cases: [what: string, answer: object, message: RegExp][] = [
    ['a redirect', { status: 302, headers: { location: '/else/keys' }, body: '' }, /answered 302/],
    ['too long an answer', { body: large }, /gave no JSON document/],
    ['no JSON', { body: '<html>' }, /gave no JSON document/],
    ['no keys', { body: { keys: 'none' } }, /has no set of keys/],
  ]
  for (const [what, answer, message] of cases) {
    server.answers.set('/issuer/keys', answer)
    const keys = createFindKeys(fetchJson, now)(issuer, undefined)
    await t.rejects(keys.find(header('a')), { name: 'KeysUnavailable', message }, what)
  }
  t.notOk(server.requests.includes('/else/keys'), 'no redirect is followed')
})

t.test('a discovery document of another issuer, or with keys in the clear, is not believed', async (t) => {
  const { server, issuer, now } = await setup(t)
  for (const [body, message] of [
    [{ issuer: `${issuer}/`, jwks_uri: `${issuer}/keys` }, /is about the issuer/],
    [{ issuer, jwks_uri: 'http://example.com/keys' }, /it is no https URL/],
    [{ issuer, jwks_uri: 'file:///etc/passwd' }, /it is no https URL/],
    [{ issuer }, /names no issuer and jwks_uri/],
    [null, /names no issuer and jwks_uri/],
  ] as const) {
    server.answers.set('/issuer/.well-known/openid-configuration', { body })
    const keys = createFindKeys(fetchJson, now)(issuer, undefined)
    await t.rejects(keys.find(header('a')), { name: 'KeysUnavailable', message })
  }
})

t.test('an issuer that does not answer is given up', async (t) => {
  const { server, now } = await setup(t)
  server.answers.set('/silent', {})
  const keys = createKeySource(
    jwksAt(`${server.url}/silent`, (url) => fetchJson(url, 20)),
    now,
  )
  await t.rejects(keys.find(header('a')), { name: 'KeysUnavailable', cause: { name: 'TimeoutError' } })
})

t.test('without a key id there must be one key only', async (t) => {
  const { keys, a, b, publish, pass } = await setup(t)
  t.ok(await keys.find({ alg: 'RS256' }))
  publish(a, b)
  pass(60 * MINUTE)
  t.equal(await keys.find({ alg: 'RS256' }), undefined)
})

t.test('Entra: issuers of the public cloud are known, without asking anybody', async (t) => {
  const asked: string[] = []
  const tid = '11111111-2222-3333-4444-555555555555'
  const find = createFindEntraKeys(
    'https://login.microsoftonline.com',
    async (url) => {
      asked.push(url)
      throw new KeysUnavailable('away')
    },
    () => new Date(0),
  )
  for (const issuer of [
    `https://sts.windows.net/${tid}`,
    `https://sts.windows.net/${tid}/x`,
    'https://sts.windows.net/{tenantid}/',
    `https://sts.windows.net.example.com/${tid}/`,
    `http://sts.windows.net/${tid}/`,
    `https://login.microsoftonline.com/${tid}/v2.0/`,
    'https://login.microsoftonline.com/common/v2.0',
  ]) {
    t.equal(await find(tid, issuer), undefined, issuer)
  }
  t.strictSame(asked, [])
  await t.rejects(find(tid, `https://sts.windows.net/${tid}/`), { name: 'KeysUnavailable' })
  t.strictSame(asked, [`https://login.microsoftonline.com/${tid}/.well-known/openid-configuration`])
})
