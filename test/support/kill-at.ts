// Preloaded into the service by `node --import`: ends the process by SIGKILL at the k-th boundary between it and Postgres
// or Campaign Manager. A call has two boundaries: just before it is sent, and just after its answer has arrived.
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { Pool } from 'undici'

/** Armed while the file is there; its text is "<round> <k>". A new round starts the count anew. */
const file = process.env.KILL_AT_FILE ?? ''

let round: string | undefined
let passed = 0

function boundary(): void {
  const order = readOrder()
  if (order === undefined) return
  if (order.round !== round) {
    round = order.round
    passed = 0
  }
  passed += 1
  if (passed === order.at) process.kill(process.pid, 'SIGKILL')
}

function readOrder(): { round: string; at: number } | undefined {
  try {
    const [round = '', at] = readFileSync(file, 'utf8').split(' ')
    return { round, at: Number(at) }
  } catch {
    return undefined
  }
}

// biome-ignore lint/suspicious/noExplicitAny: wraps whatever overload is called
type Call = (...parameters: any[]) => any

function betweenBoundaries(call: Call): Call {
  return function (this: unknown, ...parameters) {
    boundary()
    const answer = call.apply(this, parameters)
    if (!(answer instanceof Promise)) return answer
    return answer.finally(boundary)
  }
}

pg.Client.prototype.query = betweenBoundaries(pg.Client.prototype.query as Call)
Pool.prototype.request = betweenBoundaries(Pool.prototype.request as Call)
