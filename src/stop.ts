import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { RequestsInFlight } from './http/requests-in-flight.ts'

export interface Stoppable {
  readonly servers: readonly FastifyInstance[]
  readonly inFlight: RequestsInFlight
  /** Whether somebody learns from /readyz that this process stops, and sends requests until then. */
  readonly isWatched: () => boolean
  /** Begin nothing more, and resolve when what is under way has ended. */
  readonly stopReconciling: () => Promise<unknown>
  /** Ends what a reconciliation still waits for, which so gives its user back. */
  readonly closeCalls: () => Promise<unknown>
  /** What the last of all that is to tell. */
  readonly finish: () => Promise<unknown>
  /** Whoever waits for the database, or comes to it, fails as when it goes away. */
  readonly breakOffDatabase: () => void
  readonly closeDatabase: () => Promise<unknown>
}

export interface Stop {
  readonly hasBegun: () => boolean
  /** What goes on for long must end with what it has done, or its answer would come too late. */
  readonly isPressing: () => boolean
  run(parts: Stoppable): Promise<void>
}

/** How long requests are still taken after a stop has begun, until those who look at /readyz have sent their last. */
const NOTICE_MS = 2000
/**
 * Until when a stop waits for each, from its beginning. Traces are sent after all of it, for a second at most, and after 9.5 s the
 * process ends all the same.
 */
const UNTIL_MS = {
  reconciled: 3500,
  pressing: 4000,
  givenBack: 4500,
  answered: 7000,
  finished: 7400,
  brokenOff: 7700,
  lastAnswers: 7900,
  disconnected: 8000,
  databaseClosed: 8400,
} as const
/** How long connections are kept when all requests are answered, unless all close by themselves: another request may be arriving. */
const ARRIVAL_MS = 1000

/** How a process ends: what is under way is finished, answered or given back, whatever it waits for. */
export function createStop(monotonic: () => number): Stop {
  let begun: number | undefined
  const elapsed = () => (begun === undefined ? 0 : monotonic() - begun)

  /** Whether the work ended in time. */
  const until = (ms: number, work: Promise<unknown>): Promise<boolean> =>
    Promise.race([work.then(() => true), delay(Math.max(0, ms - elapsed()), false, { ref: false })])

  async function stopReconciling(parts: Stoppable): Promise<void> {
    const ended = parts.stopReconciling()
    if (await until(UNTIL_MS.reconciled, ended)) return
    // For this or another process to begin anew.
    await until(UNTIL_MS.givenBack, Promise.all([parts.closeCalls(), ended]))
  }

  /** What takes longer may have been carried out or not, as when Postgres goes away, and gets the same answer: try again. */
  async function answerUnavailable({ breakOffDatabase, inFlight }: Stoppable): Promise<void> {
    breakOffDatabase()
    if (await until(UNTIL_MS.brokenOff, inFlight.ended())) return
    inFlight.answerStopped()
    await until(UNTIL_MS.lastAnswers, inFlight.ended())
  }

  return {
    hasBegun: () => begun !== undefined,
    isPressing: () => elapsed() > UNTIL_MS.pressing,
    async run(parts) {
      begun = monotonic()
      const { servers, inFlight } = parts
      const reconciling = stopReconciling(parts)
      if (parts.isWatched()) await delay(NOTICE_MS)
      const closed = Promise.all(servers.map((server) => server.close()))
      const isAnswered = await until(UNTIL_MS.answered, Promise.race([closed, lastAnswer(inFlight)]))
      await reconciling
      await until(UNTIL_MS.finished, parts.finish())
      if (!isAnswered) await answerUnavailable(parts)
      for (const { server } of servers) server.closeAllConnections()
      await until(UNTIL_MS.disconnected, closed)
      await until(UNTIL_MS.databaseClosed, Promise.all([parts.closeCalls(), parts.closeDatabase()]))
    },
  }
}

async function lastAnswer(inFlight: RequestsInFlight): Promise<void> {
  do {
    await inFlight.ended()
    await delay(ARRIVAL_MS, undefined, { ref: false })
  } while (inFlight.count > 0)
}
