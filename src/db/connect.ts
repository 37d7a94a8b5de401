import { Kysely } from 'kysely'
import pg from 'pg'
import type { Logger } from '../log.ts'
import { announced, answersWithPromise } from './query-channel.ts'
import { SessionlessDialect } from './sessionless-dialect.ts'
import type { Database } from './tables.ts'

export type DatabaseOptions = {
  url: string
  log: Logger
  poolMax?: number
  applicationName?: string
  /** How long a query may go unanswered before its connection is given up; 0 = for ever. */
  queryTimeoutMillis?: number
  /** Parsers for result columns of this pool alone; without, pg's own (int8 arrives as text). */
  types?: pg.CustomTypesConfig
}

export type DatabaseConnection = {
  db: Kysely<Database>
  pool: pg.Pool
  /** Once what is under way has ended. */
  close(): Promise<void>
  /** Whoever uses a connection, waits for one or asks for one from now on fails, as when Postgres goes away. */
  breakOff(): void
}

const CONNECTION_TIMEOUT_MILLIS = 5_000
const QUERY_TIMEOUT_MILLIS = 30_000

/**
 * A pool of connections that also works behind PgBouncer in transaction mode: nothing here relies on a
 * session (no LISTEN, no named statement, no startup parameter but application_name).
 */
export function connect(options: DatabaseOptions): DatabaseConnection {
  const { pool, breakOff } = createPool(options)
  const db = new Kysely<Database>({ dialect: new SessionlessDialect({ pool }) })
  const close = async () => {
    await db.destroy()
    // Kysely leaves a pool alone that it never used.
    if (!pool.ending) await pool.end()
  }
  return { db, pool, close, breakOff }
}

function createPool({ log, ...options }: DatabaseOptions): Pick<DatabaseConnection, 'pool' | 'breakOff'> {
  const { Client, breakOff } = breakableClient()
  const config: pg.PoolConfig & { Client: typeof pg.Client } = {
    connectionString: options.url,
    max: options.poolMax ?? 10,
    application_name: options.applicationName ?? 'campaign-manager-scim',
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MILLIS,
    query_timeout: options.queryTimeoutMillis ?? QUERY_TIMEOUT_MILLIS,
    keepAlive: true,
    allowExitOnIdle: false,
    Client,
    ...(options.types === undefined ? {} : { types: options.types }),
  }
  const pool = new pg.Pool(config)
  // One that was given up itself, and that the server ended before it could say goodbye, is nobody's loss.
  pool.on('error', (err) => {
    if (!pool.ending) log.warn({ err }, 'an idle database connection was lost')
  })
  // The pool listens only while a client is idle; one that dies between two queries of a transaction
  // would otherwise end the process. The next query on it fails, and that is the report.
  pool.on('connect', (client) =>
    client.on('error', (err) => log.debug({ err }, 'a database connection was lost')),
  )
  return { pool, breakOff }
}

/** The server ended the session, or is one that a failover made read-only, or does not answer. */
const fatalStates = /^(08|57P|25006|25P0[34])/

/**
 * pg would hand such a connection on: it notices the end only when the socket closes, a little later, and
 * after a timeout the next query would queue behind the old one.
 */
class FastidiousClient extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: passes pg's overloads through
  override query(...parameters: any[]): any {
    const send = () => super.query(...(parameters as [string]))
    const [text] = parameters
    const answer: unknown = answersWithPromise(parameters) ? announced(text?.text ?? text, send) : send()
    if (answer instanceof Promise) {
      answer.catch((error: Error & { code?: string }) => {
        if (error.message === 'Query read timeout' || fatalStates.test(error.code ?? '')) void this.end()
      })
    }
    return answer
  }
}

/** The clients of one pool, all of which can be broken off, those that wait for an answer too. */
function breakableClient(): { readonly Client: typeof pg.Client; readonly breakOff: () => void } {
  const clients = new Set<pg.Client>()
  let isBroken = false
  class BreakableClient extends FastidiousClient {
    // biome-ignore lint/suspicious/noExplicitAny: passes pg's overloads through
    override connect(callback?: any): any {
      if (isBroken) return refuse(callback)
      clients.add(this)
      this.once('end', () => clients.delete(this))
      return super.connect(callback)
    }
  }
  return {
    Client: BreakableClient,
    breakOff() {
      isBroken = true
      for (const client of clients) void client.end()
    },
  }
}

function refuse(callback?: (error: Error) => void): Promise<never> | undefined {
  const error = new Error('Connection terminated before it was made')
  if (!callback) return Promise.reject(error)
  process.nextTick(callback, error)
  return undefined
}
