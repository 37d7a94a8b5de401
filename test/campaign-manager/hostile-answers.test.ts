import type { ServerResponse } from 'node:http'
import t from 'tap'
import { input, json, token, user, withServer } from './setup.ts'

const contractError = (code: string, message = 'no') => ({ error: { code, message } })
const plain = (response: ServerResponse, status: number, type: string, text: string | Buffer) =>
  response.writeHead(status, { 'content-type': type }).end(text)

t.test('a 404 that is not the contract’s is never "no account"', async (t) => {
  const answers: [string, (response: ServerResponse) => void, RegExp][] = [
    ['HTML', (r) => plain(r, 404, 'text/html', '<h1>Not Found</h1>'), /status 404.+not JSON but text\/html/],
    ['empty', (r) => r.writeHead(404).end(), /no media type/],
    ['other JSON', (r) => json(r, 404, { message: 'no Route matched' }), /another shape.+\/error/],
    ['another code', (r) => json(r, 404, contractError('route_missing')), /the code 'route_missing'/],
    ['a code of another status', (r) => json(r, 404, contractError('invalid')), /the code 'invalid'/],
    [
      'JSON said to be text',
      (r) => plain(r, 404, 'text/plain', JSON.stringify(contractError('not_found'))),
      /text\/plain/,
    ],
  ]
  for (const [what, answer, message] of answers) {
    await t.test(what, async (t) => {
      const { client } = await withServer(t, (_request, response) => answer(response))
      await t.rejects(client.getAccount('1'), {
        code: 'malformed',
        status: 404,
        message,
        mayHaveApplied: false,
      })
      await t.rejects(client.deleteAccount('1', undefined), {
        code: 'malformed',
        message,
        mayHaveApplied: true,
      })
      await t.rejects(client.findAccountByEmail('a@contoso.example'), { code: 'malformed', message })
    })
  }
  const { client } = await withServer(t, (_request, response) =>
    json(response, 404, contractError('not_found')),
  )
  await t.rejects(
    client.findAccountByEmail('a@contoso.example'),
    { code: 'not_found' },
    'a missing list is no empty list',
  )
})

t.test('an answer that is not what was asked for cannot be used', async (t) => {
  const other = user('2', 'other@contoso.example')
  const asked = user('1', input.email)
  const answers: [string, unknown, RegExp][] = [
    ['another address', { users: [other] }, /another address/],
    ['two accounts', { users: [asked, { ...asked, id: '2' }] }, /more than one account/],
    ['no list', { items: [] }, /\/users/],
    ['a user without roles', { users: [{ ...asked, roles: undefined }] }, /\/users\/0\/roles/],
    ['enabled as text', { users: [{ ...asked, enabled: 'yes' }] }, /\/users\/0\/enabled/],
    ['an empty id', { users: [{ ...asked, id: '' }] }, /\/users\/0\/id/],
    ['a list', [], /another shape/],
    ['null', null, /another shape/],
  ]
  for (const [what, body, message] of answers) {
    await t.test(what, async (t) => {
      const { client } = await withServer(t, (_request, response) => json(response, 200, body))
      await t.rejects(client.findAccountByEmail(input.email), { code: 'malformed', status: 200, message })
    })
  }
  const { client } = await withServer(t, (_request, response) => json(response, 200, other))
  await t.rejects(client.getAccount('1'), { code: 'malformed', message: /another account/ })
  await t.rejects(client.replaceAccount('1', input, undefined), { code: 'malformed', mayHaveApplied: true })
  await t.rejects(client.createAccount(input, 'key'), { code: 'malformed', message: /status 200.+201 is/ })
  await t.rejects(client.deleteAccount('1', undefined), { code: 'malformed', message: /204 is/ })
})

t.test('members that the contract does not name are tolerated and dropped', async (t) => {
  const extra = { ...user('1', input.email), lastLogin: 'x' }
  const { client } = await withServer(t, (request, response) =>
    request.url?.includes('roles')
      ? json(response, 200, { roles: [{ id: '1', name: 'Analyst', color: 'red' }], total: 1 })
      : json(
          response,
          200,
          { users: [extra], total: 1 },
          { 'content-type': 'application/hal+json; charset=utf-8' },
        ),
  )
  const account = { id: '1', email: input.email, enabled: true, roles: ['Analyst'] }
  t.strictSame(await client.findAccountByEmail(input.email), account)
  t.strictSame(await client.listRoles(), [{ id: '1', name: 'Analyst' }])
})

t.test('a redirect is not followed', async (t) => {
  for (const status of [301, 302, 307, 308]) {
    const { client, requests } = await withServer(t, (_request, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    await t.rejects(client.listRoles(), { code: 'malformed', status, message: /a redirect/ })
    await t.rejects(client.createAccount(input, 'key'), { code: 'malformed', mayHaveApplied: true })
    t.strictSame(
      requests.map(({ url }) => url),
      ['/cm/api/v1/roles', '/cm/api/v1/users'],
    )
  }
})

t.test('page tokens that go round in a circle end the call', async (t) => {
  let page = 0
  const { client, requests } = await withServer(t, (_request, response) => {
    page += 1
    json(response, 200, { roles: [], users: [], nextPageToken: page % 2 === 0 ? 'b&=' : 'a' })
  })
  const message = /a page token that was followed before/
  await t.rejects(client.listRoles(), { code: 'malformed', message })
  t.equal(requests.length, 3)
  t.equal(requests[2]?.url, '/cm/api/v1/roles?pageToken=b%26%3D')
  await t.rejects(client.findAccountByEmail('a@contoso.example'), { code: 'malformed', message })
})

t.test('a page of accounts that names itself as the next is refused', async (t) => {
  const { client } = await withServer(t, (_request, response) =>
    json(response, 200, { users: [], nextPageToken: 'a' }),
  )
  t.strictSame(await client.listAccounts(), { accounts: [], nextPageToken: 'a' })
  await t.rejects(client.listAccounts('a'), { code: 'malformed', message: /names itself as the next/ })
})

t.test('an empty page token ends the list of accounts', async (t) => {
  const { client } = await withServer(t, (_request, response) =>
    json(response, 200, { users: [], nextPageToken: '' }),
  )
  t.strictSame(await client.listAccounts(), { accounts: [], nextPageToken: undefined })
})

t.test('a second account on a later page is found too', async (t) => {
  const { client } = await withServer(t, (request, response) => {
    const last = request.url?.includes('pageToken') === true
    const users = [user(last ? '2' : '1', 'a@contoso.example')]
    json(response, 200, last ? { users } : { users, nextPageToken: 'next' })
  })
  await t.rejects(client.findAccountByEmail('a@contoso.example'), {
    code: 'malformed',
    message: /more than one account/,
  })
})

t.test('an answer that drips for ever meets the time limit', async (t) => {
  const { client } = await withServer(
    t,
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"roles": [')
    },
    { timeoutMs: 100 },
  )
  await t.rejects(client.listRoles(), { code: 'timeout', message: /no whole answer/ })
})

t.test('an answer that never ends meets the size limit', async (t) => {
  const { client } = await withServer(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const more = () => {
      while (!response.destroyed && response.write(' '.repeat(1024 * 1024)));
    }
    response.on('drain', more)
    more()
  })
  await t.rejects(client.listRoles(), { code: 'malformed', message: /more than 16 MiB/ })
})

t.test('bytes that are no text, or no HTTP, cannot be used', async (t) => {
  const broken = Buffer.from('{"roles":[{"id":"1","name":"Caf\xe9"}]}', 'latin1')
  const { client } = await withServer(t, (_request, response) =>
    plain(response, 200, 'application/json', broken),
  )
  await t.rejects(client.listRoles(), { code: 'malformed', message: /not whole, valid JSON/ })
  const { client: noHttp } = await withServer(t, (_request, response) => {
    response.socket?.end('220 mail.contoso.example ESMTP ida@contoso.example\r\n\r\n')
  })
  const error = await noHttp.listRoles().catch((thrown) => thrown)
  t.match(error, { code: 'malformed', message: /not HTTP/ })
  t.notMatch(JSON.stringify([error.message, error.cause]), /@/)
})

t.test('messages are short and hold no address, token or line break', async (t) => {
  const message = `Duplicate: Ida.Ek+1@contoso.example,<bo@contoso.example> user=ida%40contoso.example\r\nBearer ${token} ${'long '.repeat(800)}`
  const { client } = await withServer(t, (_request, response) =>
    json(response, 422, {
      error: { code: 'invalid', message, requestId: `r-1 ida@contoso.example ${token}` },
    }),
  )
  const error = await client.createAccount(input, 'key').catch((thrown) => thrown)
  t.match(error, { code: 'invalid', requestId: 'r-1 [e-mail] [token]' })
  t.match(error.message, /: Duplicate: \[e-mail\],<\[e-mail\]> user=\[e-mail\] Bearer \[token\] long .+…$/)
  t.ok(error.message.length < 280)
  t.notMatch(error.message, /contoso|@|%40|must-not-leak|[\r\n]/)
})

t.test('Retry-After is read in both forms, and nonsense is not', async (t) => {
  const values: [string, number | undefined][] = [
    ['0', 0],
    ['120', 120_000],
    ['99999999999999999999', 86_400_000],
    ['Sun, 01 Nov 2026 08:01:00 GMT', 60_000],
    ['Sunday, 01-Nov-26 08:01:00 GMT', 60_000],
    ['Sun, 01 Nov 2026 07:59:00 GMT', 0],
    ['Sun, 01 Nov 2099 08:00:00 GMT', 86_400_000],
    ['soon', undefined],
    ['-5', undefined],
    ['1.5', undefined],
  ]
  for (const [value, retryAfterMs] of values) {
    const { client } = await withServer(t, (_request, response) =>
      json(response, 429, contractError('rate_limited'), { 'retry-after': value }),
    )
    const error = await client.listRoles().catch((thrown) => thrown)
    t.strictSame([error.code, error.retryAfterMs], ['rate_limited', retryAfterMs], value)
  }
  const { client } = await withServer(t, (_request, response) => {
    response.writeHead(503, { 'content-type': 'text/html', 'retry-after': '9' }).end('<h1>Down</h1>')
  })
  await t.rejects(
    client.listRoles(),
    { code: 'malformed', status: 503, retryAfterMs: 9_000 },
    'a proxy may ask too',
  )
})
