import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export type WriteMethod = 'POST' | 'PUT' | 'DELETE'

export interface HeldRequest {
  /** Once the request has come in and its sender has lost the connection. */
  readonly reached: Promise<void>
  /** Passes the request on, as late as that; resolves with the status that nobody hears of. */
  release(): Promise<number>
}

export interface CampaignManagerProxy {
  /** CAMPAIGN_MANAGER_URL by way of the proxy. */
  readonly url: string
  /** The next request of this method is lost; its sender is told 200 and what the account still holds. */
  answerStale(method: WriteMethod): void
  /** The next request of this method is kept back, and its sender's connection breaks without an answer. */
  hold(method: WriteMethod): HeldRequest
}

interface Received {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: Buffer
}

type Deal = (request: Received, response: ServerResponse) => Promise<void>

const PASSED_ON = ['authorization', 'content-type', 'if-match', 'idempotency-key']
const PASSED_BACK = ['content-type', 'etag', 'retry-after']

/** Stands between a service and Campaign Manager, and does to requests what gateways and networks do. */
export async function startCampaignManagerProxy(t: Test, target: string): Promise<CampaignManagerProxy> {
  const { origin, pathname } = new URL(target)
  const deals = new Map<string, Deal>()

  const forward = ({ method, path, headers, body }: Received): Promise<Response> =>
    fetch(origin + path, { method, headers, ...(body.length > 0 && { body }) })

  async function pass(request: Received, response: ServerResponse): Promise<void> {
    const answer = await forward(request)
    const body = Buffer.from(await answer.arrayBuffer())
    response.writeHead(answer.status, Object.fromEntries(picked(answer.headers, PASSED_BACK))).end(body)
  }

  const server = createServer((incoming, response) => {
    receive(incoming)
      .then((request) => {
        const deal = deals.get(request.method) ?? pass
        deals.delete(request.method)
        return deal(request, response)
      })
      // A broken connection on the one side is one on the other.
      .catch((error) => response.destroy(error))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
  })

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    answerStale(method) {
      deals.set(method, ({ path, headers }, response) => {
        headers.delete('if-match')
        headers.delete('content-type')
        return pass({ method: 'GET', path, headers, body: Buffer.alloc(0) }, response)
      })
    },
    hold(method) {
      const { promise: held, resolve } = Promise.withResolvers<Received>()
      deals.set(method, async (request, response) => {
        response.destroy()
        resolve(request)
      })
      return {
        reached: held.then(() => {}),
        release: async () => {
          const answer = await forward(await held)
          await answer.arrayBuffer()
          return answer.status
        },
      }
    },
  }
}

async function receive(incoming: IncomingMessage): Promise<Received> {
  const body = Buffer.concat(await incoming.toArray())
  const { method = '', url: path = '' } = incoming
  return {
    method,
    path,
    headers: picked(new Headers(incoming.headers as Record<string, string>), PASSED_ON),
    body,
  }
}

const picked = (headers: Headers, names: readonly string[]): Headers =>
  new Headers(
    names.flatMap((name): [string, string][] => {
      const value = headers.get(name)
      return value === null ? [] : [[name, value]]
    }),
  )
