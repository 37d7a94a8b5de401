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

export type DatabaseConnection = { db: Kysely<Database>; pool: pg.Pool; close(): Promise<void> }

const CONNECTION_TIMEOUT_MILLIS = 5_000
const QUERY_TIMEOUT_MILLIS = 30_000

/**
 * A pool of connections that also works behind PgBouncer in transaction mode: nothing here relies on a
 * session (no LISTEN, no named statement, no startup parameter but application_name).
 */
export function connect(options: DatabaseOptions): DatabaseConnection {
  const pool = createPool(options)
  const db = new Kysely<Database>({ dialect: new SessionlessDialect({ pool }) })
  const close = async () => {
    await db.destroy()
    // Kysely leaves a pool alone that it never used.
    if (!pool.ending) await pool.end()
  }
  return { db, pool, close }
}

function createPool({ log, ...options }: DatabaseOptions): pg.Pool {
  const config: pg.PoolConfig & { Client: typeof pg.Client } = {
    connectionString: options.url,
    max: options.poolMax ?? 10,
    application_name: options.applicationName ?? 'campaign-manager-scim',
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MILLIS,
    query_timeout: options.queryTimeoutMillis ?? QUERY_TIMEOUT_MILLIS,
    keepAlive: true,
    allowExitOnIdle: false,
    Client: FastidiousClient,
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
  return pool
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
