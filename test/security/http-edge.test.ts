import { once } from 'node:events'
import t, { type Test } from 'tap'
import { isScimError } from '../e2e/setup.ts'
import { USER_SCHEMA, userBody } from '../support/scim-client.ts'
import { SCIM_TOKEN, startTestService } from '../support/service.ts'
import { head, isRawScimError, openSocket, parseAnswers, readAll, sendRaw, tenantOf } from './setup.ts'

t.test('one service', async (t) => {
  const service = await startTestService(t)
  const { scim, url } = service
  const one = async (...parts: readonly (string | Buffer)[]) => {
    const answers = await sendRaw(url, ...parts)
    return { answer: answers[0], count: answers.length }
  }

  t.test('what is no HTTP request is answered in SCIM’s form, and the connection closed', async (t) => {
    const long = 'x'.repeat(70_000)
    const refused: Record<string, [status: number, ...bytes: (string | Buffer)[]]> = {
      nonsense: [501, 'hello\r\n\r\n'],
      'a method that nobody knows': [501, head('BREW /scim/v2/Users HTTP/1.1')],
      'another protocol': [400, 'GET /scim/v2/Users HTTQ/1.1\r\n\r\n'],
      'a version that there is not': [400, 'GET /scim/v2/Users HTTP/9.9\r\nHost: x\r\n\r\n'],
      'a header without a name': [400, 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n'],
      'a space before the colon': [400, 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
      'a NUL in a header': [400, 'GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n'],
      'a folded header': [400, 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\nTransfer-Encoding\r\n\r\n'],
      'two lengths': [
        400,
        head('POST /scim/v2/Users HTTP/1.1', { 'Content-Length': '2' }).replace(
          'Connection',
          'Content-Length: 3\r\nConnection',
        ),
        '{}x',
      ],
      'a length that is none': [400, head('POST /scim/v2/Users HTTP/1.1', { 'Content-Length': '+2' }), '{}'],
      'Content-Length and Transfer-Encoding': [
        400,
        head('POST /scim/v2/Users HTTP/1.1', { 'Content-Length': '2', 'Transfer-Encoding': 'chunked' }),
        '0\r\n\r\n',
      ],
      'chunked not last': [
        400,
        head('POST /scim/v2/Users HTTP/1.1', { 'Transfer-Encoding': 'chunked, identity' }),
        '0\r\n\r\n',
      ],
      'a chunk of no size': [
        400,
        head('POST /scim/v2/Users HTTP/1.1', { 'Transfer-Encoding': 'chunked' }),
        'zz\r\n\r\n',
      ],
      'headers that are too large': [431, head('GET /scim/v2/Users HTTP/1.1', { 'X-Long': long })],
      'a URL that the parser gives up on': [414, head(`GET /scim/v2/Users?x=${long} HTTP/1.1`)],
    }
    for (const [name, [status, ...bytes]] of Object.entries(refused)) {
      const { answer, count } = await one(...bytes)
      isRawScimError(t, answer, status, name)
      t.equal(count, 1, `${name}: what follows is not taken for a request`)
      t.equal(answer?.headers.connection, 'close', name)
      t.equal(answer?.headers['x-content-type-options'], 'nosniff', name)
      t.match(answer?.body, /\[request [\w-]{36}\]/, name)
    }
  })

  t.test('a request that is broken behind another one is not answered in its place', async (t) => {
    // With Connection: close Node would not look at what follows.
    const first = head('GET /scim/v2/Users HTTP/1.1', { Connection: 'keep-alive' })
    const answers = await sendRaw(url, first, 'nonsense\r\n\r\n')
    t.ok(answers.length <= 2)
    t.notOk(answers[0] && answers[0].status !== 200, `no other answer to it: ${answers[0]?.status}`)
  })

  t.test('methods and expectations that nothing has', async (t) => {
    for (const method of ['PROPFIND', 'LINK', 'PURGE']) {
      for (const path of ['/scim/v2/Users', '/scim/v2/Nothing']) {
        const { answer } = await one(head(`${method} ${path} HTTP/1.1`))
        isRawScimError(t, answer, 501, `${method} ${path}`)
      }
    }
    for (const path of ['/Bulk', '/.search', '/Users/.search']) {
      const answer = await scim('HEAD', path)
      t.equal(answer.status, 405, `HEAD ${path}`)
      t.equal(answer.headers.get('allow'), 'POST')
    }
    const connect = await one(head('CONNECT example.com:443 HTTP/1.1'))
    t.equal(connect.count, 0, 'CONNECT: closed')
    const expects = { Expect: 'a-miracle', 'Content-Length': '2' }
    isRawScimError(t, (await one(head('POST /scim/v2/Users HTTP/1.1', expects), '{}')).answer, 417, 'Expect')
    const body = JSON.stringify(userBody('expected'))
    const continues = await sendRaw(
      url,
      head('POST /scim/v2/Users HTTP/1.1', {
        Expect: '100-continue',
        'Content-Type': 'application/scim+json',
        'Content-Length': String(Buffer.byteLength(body)),
      }),
      body,
    )
    t.strictSame(
      continues.map(({ status }) => status),
      [100, 201],
    )
  })

  t.test('headers that mean one thing are given once', async (t) => {
    isRawScimError(
      t,
      (
        await one(
          `GET /scim/v2/Users HTTP/1.1\r\nAuthorization: Bearer ${SCIM_TOKEN}\r\nConnection: close\r\n\r\n`,
        )
      ).answer,
      400,
      'no Host',
    )
    for (const name of ['Host', 'Content-Type', 'If-Match']) {
      const twice = head('GET /scim/v2/Users HTTP/1.1', { [name]: 'a' }).replace(
        'Connection',
        `${name}: b\r\nConnection`,
      )
      isRawScimError(t, (await one(twice)).answer, 400, name)
    }
    const two = head('GET /scim/v2/Users HTTP/1.1').replace(
      'Connection',
      'Authorization: Bearer x\r\nConnection',
    )
    const status = (await one(two)).answer?.status ?? 0
    t.ok([400, 401].includes(status), `two credentials: ${status}`)
  })

  t.test('URLs', async (t) => {
    for (const path of ['/Users/%zz', '/Users/%', '/Users/%ff', '/Users/%c0%af', '/%E0%A4%A']) {
      isScimError(t, await scim('GET', path), { status: 400 }, path)
    }
    for (const query of ['x=%zz', 'filter=%ff', 'count=%', 'attributes=%c0%af', 'x=%ed%a0%80']) {
      isScimError(t, await scim('GET', `/Users?${query}`), { status: 400, scimType: 'invalidValue' }, query)
    }
    for (const query of [
      'count=1&count=2',
      'x=1&x=1',
      'attributes=userName&attributes=id',
      'cursor&cursor',
    ]) {
      isScimError(
        t,
        await scim('GET', `/Users?${query}`),
        { status: 400, scimType: 'invalidValue', detail: /more than once/ },
        query,
      )
    }
    const filters = 'filter=id pr&filter=userName pr'
    isScimError(
      t,
      await scim('GET', `/Users?${filters}`),
      { status: 400, scimType: 'invalidFilter' },
      filters,
    )
    const many = Array.from({ length: 33 }, (_, n) => `p${n}=x`).join('&')
    isScimError(t, await scim('GET', `/Users?${many}`), { status: 400, scimType: 'invalidValue' }, 'many')
    isScimError(t, await scim('GET', `/Users?x=${'y'.repeat(17_000)}`), { status: 414 }, 'long')
    const unknown = await scim('GET', '/Users?aadOptscim062020&other=1&__proto__=x&constructor=y')
    t.equal(unknown.status, 200, 'what is not known is ignored (RFC 7644 §3.4.2)')
  })

  t.test('bodies', async (t) => {
    const user = (more: string) => `{"schemas":["${USER_SCHEMA}"],"userName":"shape@example.com",${more}}`
    const refused: Record<string, string | Buffer> = {
      'too deep': user(`"x":${'['.repeat(40)}${']'.repeat(40)}`),
      'brackets without end': '['.repeat(7_000_000),
      'too many objects': user(`"x":[${'{},'.repeat(260_000)}{}]`),
      'too many names': user(Array.from({ length: 1100 }, (_, n) => `"n${n}":1`).join(',')),
      'a name twice': user('"active":true,"active":false'),
      'a name twice, once with an escape': user('"active":true,"\\u0061ctive":false'),
      'a name twice, further in': user('"name":{"givenName":"a","givenName":"b"}'),
      'no UTF-8': Buffer.concat([
        Buffer.from(user('"title":"').slice(0, -1)),
        Buffer.from([0xc0, 0xaf, 0x22, 0x7d]),
      ]),
      'UTF-16': Buffer.from(user('"title":"x"'), 'utf16le'),
    }
    for (const [name, body] of Object.entries(refused)) {
      const response = await fetch(`${url}/scim/v2/Users`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SCIM_TOKEN}`, 'content-type': 'application/scim+json' },
        body,
      })
      t.match(
        { status: response.status, body: await response.json() },
        { status: 400, body: { status: '400', scimType: 'invalidSyntax' } },
        name,
      )
    }
    const brackets = JSON.stringify('[{'.repeat(50_000)).slice(1, -1)
    const inText = await scim('POST', '/Users', user(`"title":"${brackets}\\\\\\"["`))
    t.equal(inText.status, 201, 'brackets in a text are no depth')
  })

  t.test('who sends a body that is too large reads the answer, and may go on', async (t) => {
    const kinds = { 'Content-Type': 'application/scim+json', Connection: 'keep-alive' }
    const chunk = Buffer.alloc(1024 * 1024, ' ')
    const inChunks = Buffer.concat([Buffer.from('100000\r\n'), chunk, Buffer.from('\r\n')])
    const bodies: [string, string, Buffer, string][] = [
      [
        'of a length',
        head('POST /scim/v2/Users HTTP/1.1', { ...kinds, 'Content-Length': `${9 * 2 ** 20}` }),
        chunk,
        '',
      ],
      [
        'in chunks',
        head('POST /scim/v2/Users HTTP/1.1', { ...kinds, 'Transfer-Encoding': 'chunked' }),
        inChunks,
        '0\r\n\r\n',
      ],
    ]
    for (const [name, begin, part, end] of bodies) {
      const socket = openSocket(url)
      socket.write(begin)
      const all = readAll(socket)
      for (let sent = 0; sent < 9; sent += 1) {
        if (!socket.write(part)) await once(socket, 'drain')
      }
      socket.write(`${end}${head('GET /scim/v2/Users HTTP/1.1')}`)
      const answers = parseAnswers(await all)
      t.strictSame(
        answers.map(({ status }) => status),
        [413, 200],
        name,
      )
    }
  })

  t.test('NUL and half of a surrogate pair are refused wherever they would be kept', async (t) => {
    const { body: created } = await scim('POST', '/Users', userBody('odd'))
    for (const bad of ['\\u0000', '\\ud800', '\\udc00x']) {
      for (const body of [
        `{"schemas":["${USER_SCHEMA}"],"userName":"a${bad}"}`,
        `{"schemas":["${USER_SCHEMA}"],"userName":"ok-${bad.length}","name":{"givenName":"${bad}"}}`,
        `{"schemas":["${USER_SCHEMA}"],"userName":"ok-${bad.length}","externalId":"${bad}"}`,
      ]) {
        isScimError(t, await scim('POST', '/Users', body), { status: 400, scimType: 'invalidValue' }, body)
      }
      const patch = (operation: string) =>
        `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[${operation}]}`
      for (const operation of [
        `{"op":"replace","path":"title","value":"${bad}"}`,
        `{"op":"replace","path":"emails[type eq \\"${bad}\\"].value","value":"x@example.com"}`,
        `{"op":"add","path":"${bad}","value":"x"}`,
      ]) {
        const answer = await scim('PATCH', `/Users/${created.id}`, patch(operation))
        isScimError(t, answer, { status: 400, scimType: answer.body?.scimType }, operation)
      }
      const search = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \\"${bad}\\"","sortBy":"${bad}"}`
      const answer = await scim('POST', '/Users/.search', search)
      t.equal(answer.status, 400, search)
    }
    for (const path of ['/Users/%00', '/Users/x%00y', '/Schemas/%00', '/ResourceTypes/%00']) {
      t.equal((await scim('GET', path)).status, 404, path)
    }
    const ignored = await scim(
      'POST',
      '/Users',
      `{"schemas":["${USER_SCHEMA}"],"userName":"ignored@example.com","nobodyKnows":"\\u0000","x\\ud800":1}`,
    )
    t.equal(ignored.status, 201, 'what nobody keeps does no harm')
  })

  t.test('every answer has its headers, and none says what serves it', async (t) => {
    const answers = [
      await scim('GET', '/Users'),
      await scim('GET', '/Nothing'),
      await scim('GET', '/Users/%zz'),
      await scim('POST', '/Users', '{'),
      await scim('GET', '/Users', undefined, { authorization: 'Bearer x' }),
      await scim('PUT', '/Bulk', '{}'),
    ]
    for (const { status, headers } of answers) {
      t.equal(headers.get('cache-control'), 'no-store', String(status))
      t.equal(headers.get('x-content-type-options'), 'nosniff')
      t.match(headers.get('x-request-id'), /^[\w-]{36}$/)
      for (const name of ['server', 'x-powered-by', 'via']) t.equal(headers.get(name), null, name)
    }
    for (const path of ['/healthz', '/readyz', '/metrics', '/nothing']) {
      const { headers } = await fetch(`${url}${path}`)
      t.equal(headers.get('x-content-type-options'), 'nosniff', path)
    }
  })

  t.test('an error of the inside says nothing but the request’s id', (t) => leaksNothing(t, service))
})

/** The table is taken away, so that the statement fails with a message that names it. */
async function leaksNothing(t: Test, { scim, database }: Awaited<ReturnType<typeof startTestService>>) {
  await database.pool.query('alter table scim_user rename to scim_user_away')
  t.teardown(() => database.pool.query('alter table scim_user_away rename to scim_user'))
  for (const answer of [
    await scim('GET', '/Users'),
    await scim('GET', '/Users?filter=userName eq "a"'),
    await scim('POST', '/Users', userBody('inside')),
  ]) {
    isScimError(t, answer, { status: 500, detail: 'internal error' })
    t.notMatch(JSON.stringify(answer.body), /scim_user|relation|select|\.ts|node_modules/)
  }
}

t.test('SCIM_RATE: each tenant has its own requests a second', async (t) => {
  // So few that none is earned while the test runs.
  const service = await startTestService(t, { env: { SCIM_RATE: '0.001' } })
  const acme = await tenantOf(service, 'acme')
  t.equal((await service.scim('GET', '/Users')).status, 200)
  const refused = await service.scim('GET', '/Users')
  isScimError(t, refused, { status: 429, detail: /too many requests/ })
  t.match(Number(refused.headers.get('retry-after')), 1000)
  t.equal((await acme.scim('GET', '/Users')).status, 200, 'another tenant is not slowed down')
  t.equal((await acme.scim('GET', '/Schemas')).status, 429)
  const wrong = await service.scim('GET', '/Users', undefined, { authorization: 'Bearer x' })
  t.equal(wrong.status, 401, 'who is nobody has no part in it')
})
