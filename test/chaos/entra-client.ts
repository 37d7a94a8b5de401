import { setTimeout as pause } from 'node:timers/promises'
import type { Answer, ScimRequest } from '../support/scim-client.ts'
import { pickOf, type Random, type Tally } from './figures.ts'
import type { Span } from './history.ts'

/** What a change came to. Its span begins with the first request for it, however often it was repeated. */
export interface Settled extends Span {
  readonly answer: Answer
  /** An earlier request was never answered, or by a failure: it may have been carried out all the same. */
  readonly repeated: boolean
}

/** Repeats what is not answered, after looking what became of it, as Entra does. */
export interface EntraClient {
  /** Until it is answered; for reads. */
  ask: ScimRequest
  /**
   * Until it is answered; before it is repeated, the resource is looked up.
   *
   * @param lookUp true when it shows that the change was made
   */
  insist(
    method: string,
    path: string,
    body: unknown,
    lookUp: () => Promise<Answer | undefined>,
  ): Promise<Settled>
}

export interface EntraClientOptions {
  /** One per process of the service; a dead one's does not answer. */
  readonly scims: () => readonly ScimRequest[]
  readonly random: Random
  readonly statuses: Tally
  /** Answers that no client should get. */
  readonly odd: string[]
  readonly retryMs: number
  /** Ends whatever is repeated. */
  readonly isOver: () => boolean
}

const UNANSWERED = 'no answer'
/** Entra's own. */
const PATIENCE_MS = 60_000

async function within<T>(ms: number, late: string, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const timer = pause(ms, undefined, { signal: over.signal }).then(() => Promise.reject(new Error(late)))
  try {
    return await Promise.race([work, timer])
  } finally {
    timer.catch(() => {})
    over.abort()
  }
}

export function createEntraClient({
  scims,
  random,
  statuses,
  odd,
  retryMs,
  isOver,
}: EntraClientOptions): EntraClient {
  /** Undefined: nobody can know whether it was done. */
  async function once(...request: Parameters<ScimRequest>): Promise<Answer | undefined> {
    if (isOver()) throw new Error('the test is over')
    let answer: Answer
    const late = `${request[0]} ${request[1]}: no answer within ${PATIENCE_MS / 1000} s`
    try {
      answer = await within(PATIENCE_MS, late, pickOf(random, scims())(...request))
    } catch (error) {
      if ((error as Error).message === late) odd.push(late)
      statuses.add(UNANSWERED)
      await pause(retryMs / 2 + random(retryMs))
      return undefined
    }
    statuses.add(answer.status)
    if (answer.status < 500) return answer
    if (answer.status !== 503 || !(Number(answer.headers.get('retry-after')) > 0)) {
      odd.push(`${request[0]} ${request[1]}: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    await pause(retryMs / 2 + random(retryMs))
    return undefined
  }

  const ask: ScimRequest = async (...request) => {
    for (;;) {
      const answer = await once(...request)
      if (answer !== undefined) return answer
    }
  }

  return {
    ask,
    async insist(method, path, body, lookUp) {
      const from = performance.now()
      for (let repeated = false; ; repeated = true) {
        const answer = (repeated && (await lookUp())) || (await once(method, path, body))
        if (answer !== undefined) return { answer, repeated, from, to: performance.now(), certain: true }
      }
    },
  }
}

export const filterPath = (collection: string, filter: string): string =>
  `${collection}?${collection === '/Groups' ? 'excludedAttributes=members&' : ''}filter=${encodeURIComponent(filter)}`
