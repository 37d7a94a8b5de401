import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { head, isRawScimError, openSocket, parseAnswers, readAll } from './setup.ts'

t.test('a client that sends slowly is answered 408 and closed', async (t) => {
  const { url, running } = await startTestService(t)
  const { server } = running.service.http
  Object.assign(server, { headersTimeout: 50, requestTimeout: 100 })
  const whole = head('POST /scim/v2/.search HTTP/1.1', {
    'Content-Type': 'application/json',
    'Content-Length': '1000',
  })
  for (const [name, begun] of [
    ['headers', whole.slice(0, -6)],
    ['body', `${whole}{"schemas":`],
  ] as const) {
    const socket = openSocket(url)
    socket.write(begun)
    const [answer] = parseAnswers(await readAll(socket))
    isRawScimError(t, answer, 408, name)
  }
})

t.test('the limits of the shipped server', async (t) => {
  const { running } = await startTestService(t)
  const { server } = running.service.http
  t.ok(server.headersTimeout > 0 && server.headersTimeout <= 20_000, 'headers')
  t.ok(server.requestTimeout > 0 && server.requestTimeout <= 60_000, 'the whole request')
  t.ok(server.keepAliveTimeout > 60_000, 'longer than load balancers keep a connection')
  t.ok(server.timeout > 0, 'a connection on which nothing moves')
})

t.test('CVE-2026-25224: who does not read holds no more than one answer', async (t) => {
  const service = await startTestService(t)
  const title = 'x'.repeat(100_000)
  for (let user = 0; user < 40; user += 1)
    await service.scim('POST', '/Users', userBody(`user-${user}`, { title }))
  const sockets: Socket[] = []
  service.running.service.http.server.on('connection', (socket: Socket) => sockets.push(socket))
  const whole = await service.scim('GET', '/Users?count=1000')
  const answerBytes = JSON.stringify(whole.body).length
  const list = head('GET /scim/v2/Users?count=1000 HTTP/1.1', { Connection: 'keep-alive' })

  const READERS = 5
  const REQUESTS = 20
  const first = sockets.length
  const readers = Array.from({ length: READERS }, () => openSocket(service.url).pause())
  t.teardown(() => {
    for (const reader of readers) reader.destroy()
  })
  await Promise.all(readers.map((reader) => once(reader, 'connect')))
  for (const reader of readers) for (let sent = 0; sent < REQUESTS; sent += 1) reader.write(list)
  // What would be read for them is read before these are answered.
  for (let sent = 0; sent < 10; sent += 1) await service.scim('GET', '/Users?count=1000')
  const held = sockets.slice(first, first + READERS).map((socket) => socket.writableLength)
  t.comment(`an answer has ${answerBytes} bytes; held for each reader: ${held.join(', ')}`)
  t.equal(held.length, READERS)
  for (const bytes of held) t.ok(bytes <= 2 * answerBytes + 65_536, `${bytes} bytes are held`)
})
