import { createConnection, type Socket } from 'node:net'
import type { Test } from 'tap'
import { createSocketServer } from '../support/socket-server.ts'

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
  let state: 'reachable' | 'unreachable' | 'unavailable' = 'reachable'
  let refused = 0
  let atOnce = 0

  const server = createSocketServer(connect)

  function connect(client: Socket): void {
    if (state === 'unavailable') {
      refuse(client)
      return
    }
    const upstream = server.keep(createConnection({ host: hostname, port: Number(port) }))
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

  await server.listen()
  t.teardown(server.close)
  return {
    url: `http://127.0.0.1:${server.port}${pathname}`,
    get refused() {
      return refused
    },
    get atOnce() {
      return atOnce
    },
    async set(next) {
      state = next
      await server.close()
      if (next !== 'unreachable') await server.listen()
    },
  }
}
