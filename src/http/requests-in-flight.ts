import type { FastifyInstance, FastifyReply } from 'fastify'

/** What a request is answered that the end of the process comes before: it may have been carried out, and may be repeated. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError'

  constructor() {
    super('the process stopped before this request was answered')
  }
}

/** The requests that have not been answered yet, so that a stop can wait for them. */
export interface RequestsInFlight {
  watch(app: FastifyInstance): void
  readonly count: number
  /** Resolves as soon as there are none. */
  ended(): Promise<void>
  /** Answers what is left, whatever it waits for: a body that does not arrive, say. */
  answerStopped(): void
}

export function createRequestsInFlight(): RequestsInFlight {
  const replies = new Set<FastifyReply>()
  const waiting = new Set<() => void>()

  function end(reply: FastifyReply): void {
    replies.delete(reply)
    if (replies.size > 0) return
    for (const resolve of waiting) resolve()
    waiting.clear()
  }

  return {
    watch(app) {
      app.addHook('onRequest', async (_request, reply) => {
        replies.add(reply)
        // After the answer, or when the client has gone.
        reply.raw.once('close', () => end(reply))
      })
    },
    get count() {
      return replies.size
    },
    async ended() {
      if (replies.size > 0) await new Promise<void>((resolve) => waiting.add(resolve))
    },
    answerStopped() {
      for (const reply of replies) if (!reply.sent) reply.send(new StoppedError())
    },
  }
}
