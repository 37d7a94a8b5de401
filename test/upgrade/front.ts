import { once } from 'node:events'
import {
  Agent,
  createServer,
  get,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { until } from '../support/until.ts'

/** Where requests may be sent to. */
export interface Upstream {
  readonly label: string
  readonly url: string
  readonly ended: Promise<unknown>
}

/** Names the process that answered. */
export const SERVED_BY = 'x-served-by'

const POLL_EVERY_MS = 200
/** RFC 9110 §7.6.1: of one connection only. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding']

/**
 * Sends each request to the next of the processes whose `/readyz` answers 200, as a load balancer does that polls. It
 * repeats nothing: what a process breaks off or refuses is what the client gets.
 */
export class Front {
  url = ''
  readonly #members = new Map<string, Member>()
  #turn = 0
  #closed = false

  static async start(t: Test): Promise<Front> {
    const front = new Front()
    const server = createServer((incoming, answer) => front.#pass(incoming, answer)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    front.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => {
      front.#closed = true
      for (const { agent } of front.#members.values()) agent.destroy()
      server.closeAllConnections()
      server.close()
    })
    return front
  }

  /** Resolves once it is ready, and so gets requests. */
  async add(upstream: Upstream): Promise<void> {
    const member = new Member(upstream)
    this.#members.set(upstream.label, member)
    void this.#poll(member)
    await until(`${upstream.label} is ready`, () => member.ready)
  }

  /** Sends it nothing more, and resolves when all that it was sent is answered. */
  async takeOut(label: string): Promise<void> {
    const member = this.#members.get(label)
    if (!member) return
    this.#members.delete(label)
    await until(`${label} has answered`, () => member.underWay === 0)
  }

  isReady(label: string): boolean {
    return this.#members.get(label)?.ready === true
  }

  answered(label: string): number {
    return this.#members.get(label)?.answered ?? 0
  }

  async #poll(member: Member): Promise<void> {
    let alive = true
    void member.ended.then(() => {
      alive = false
    })
    while (alive && !this.#closed) {
      member.ready = await isReady(member.url)
      await pause(POLL_EVERY_MS)
    }
    member.ready = false
  }

  #pass(incoming: IncomingMessage, answer: ServerResponse): void {
    const ready = [...this.#members.values()].filter((member) => member.ready)
    this.#turn += 1
    const member = ready[this.#turn % ready.length]
    if (member) member.pass(incoming, answer)
    else answer.writeHead(502).end(JSON.stringify('nobody is ready'))
  }
}

class Member {
  ready = false
  answered = 0
  underWay = 0
  readonly agent = new Agent({ keepAlive: true })
  readonly label: string
  readonly url: string
  readonly ended: Promise<unknown>

  constructor({ label, url, ended }: Upstream) {
    this.label = label
    this.url = url
    this.ended = ended
  }

  pass(incoming: IncomingMessage, answer: ServerResponse): void {
    this.underWay += 1
    answer.on('close', () => {
      this.underWay -= 1
    })
    const fail = (error: Error & { code?: string }) => {
      answer.writeHead(502, { [SERVED_BY]: this.label }).end(JSON.stringify(`${error.code} ${error.message}`))
    }
    const { method = '', headers } = incoming
    const target = new URL(incoming.url ?? '/', this.url)
    const outgoing = request(target, { method, headers: endToEnd(headers), agent: this.agent })
    outgoing.on('error', fail)
    outgoing.on('response', (response) => {
      this.answered += 1
      answer.writeHead(response.statusCode ?? 0, { ...endToEnd(response.headers), [SERVED_BY]: this.label })
      response.on('error', () => answer.destroy())
      response.pipe(answer)
    })
    incoming.pipe(outgoing)
  }
}

const endToEnd = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)))

/** Over a connection of its own, as Kubernetes asks. */
function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(new URL('/readyz', url), { agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    }).on('error', () => resolve(false))
  })
}
