import type { FastifyInstance } from 'fastify'

export interface ProbeOptions {
  /** Why this process should get no requests now; undefined when it may. */
  readonly notReady: () => Promise<string | undefined>
}

export function probeRoutes(app: FastifyInstance, { notReady }: ProbeOptions): void {
  // Depends on nothing: a restart of this process would mend neither Postgres nor Campaign Manager.
  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    const reason = await notReady()
    if (reason === undefined) return { status: 'ready' }
    return reply.code(503).send({ status: 'not ready', reason })
  })
}
