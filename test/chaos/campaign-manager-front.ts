import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

/** The network before Campaign Manager. */
export interface CampaignManagerFront {
  /** CAMPAIGN_MANAGER_URL by way of it. */
  readonly url: string
  /** How many requests it answered 503. */
  readonly refused: number
  /** How many of them are not answered yet. */
  readonly atOnce: number
  /**
   * `unreachable`: new connections are refused; `unavailable`: each request is answered 503, a little later.
   * Connections that stand are broken.
   */
  set(state: 'reachable' | 'unreachable' | 'unavailable'): Promise<void>
}

const ANSWER_AFTER_MS = 25
const BODY = JSON.stringify({ error: { code: 'unavailable', message: 'closed for the day' } })
const UNAVAILABLE = [
  'HTTP/1.1 503 Service Unavailable',
  'content-type: application/json',
  `content-length: ${BODY.length}`,
  'connection: close',
  '',
  BODY,
].join('\r\n')

export async function startCampaignManagerFront(t: Test, target: string): Promise<CampaignManagerFront> {
  const { hostname, port, pathname } = new URL(target)
  const sockets = new Set<Socket>()
  let state: 'reachable' | 'unreachable' | 'unavailable' = 'reachable'
  let at = 0
  let server: Server | undefined
  let refused = 0
  let atOnce = 0

  function keep(socket: Socket): Socket {
    sockets.add(socket)
    return socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  }

  function connect(client: Socket): void {
    keep(client)
    if (state === 'unavailable') {
      refuse(client)
      return
    }
    const upstream = keep(createConnection({ host: hostname, port: Number(port) }))
    client.pipe(upstream).pipe(client)
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  }

  function refuse(client: Socket): void {
    client.once('data', () => {
      refused += 1
      atOnce += 1
      setTimeout(() => {
        atOnce -= 1
        client.end(UNAVAILABLE)
      }, ANSWER_AFTER_MS)
    })
  }

  async function listen(): Promise<void> {
    server = createServer(connect)
    server.listen(at, '127.0.0.1')
    await once(server, 'listening')
    at = (server.address() as AddressInfo).port
  }

  async function close(): Promise<void> {
    const closed = server && once(server, 'close')
    server?.close()
    server = undefined
    for (const socket of sockets) socket.destroy()
    await closed
  }

  await listen()
  t.teardown(close)
  return {
    url: `http://127.0.0.1:${at}${pathname}`,
    get refused() {
      return refused
    },
    get atOnce() {
      return atOnce
    },
    async set(next) {
      state = next
      await close()
      if (next !== 'unreachable') await listen()
    },
  }
}
