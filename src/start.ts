import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { issueToken, TOKEN_DAYS } from './access/tokens.ts'
import { hasUsableCredential } from './access/usable-credential.ts'
import { SERVICE } from './audit/entry.ts'
import type { Clock } from './clock.ts'
import { compose, type Service } from './compose.ts'
import { type Config, ConfigError } from './config.ts'
import { connect } from './db/connect.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './db/embedded.ts'
import { isUnavailable } from './db/errors.ts'
import { migrateDatabase } from './db/migrate.ts'
import { MIGRATIONS } from './db/migrations-folder.ts'
import type { Logger } from './log.ts'
import { createSandbox, type Sandbox } from './sandbox/server.ts'
import { startTracing } from './tracing.ts'

export interface RunningService {
  readonly service: Service
  /** Base URLs, as far as the parts are on. */
  readonly urls: { readonly http?: string; readonly metrics?: string; readonly sandbox?: string }
  /** The sandbox inside, when there is no other Campaign Manager. */
  readonly sandbox: Sandbox | undefined
  stop(): Promise<void>
}

export interface StartOptions {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  /** Gets the token that this start made, because there was none, as soon as it is made: it is not to be had again. */
  readonly onNewToken?: (token: string) => void
}

/** The port of the bundled sandbox (campaign-manager-api.yaml, servers), when it is free. */
const SANDBOX_PORT = 4010

/** Brings up everything that a process needs, in order, and takes down what it started when a later part fails. */
export async function startService({
  config,
  clock,
  log,
  onNewToken,
}: StartOptions): Promise<RunningService> {
  const started: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    const failures: unknown[] = []
    for (const each of started.reverse().splice(0)) await each().catch((error) => failures.push(error))
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be stopped')
  }
  try {
    const database = config.databaseUrl === undefined ? await embedded(config, log) : undefined
    if (database) started.push(() => database.stop())
    const databaseUrl = config.databaseUrl ?? database?.url ?? ''
    const { applied } = await migrateDatabase({ url: databaseUrl, folder: MIGRATIONS, log }).catch(
      (error) => {
        throw isUnavailable(error)
          ? new Error('DATABASE_URL: the database cannot be reached', { cause: error })
          : error
      },
    )
    if (applied.length > 0) log.info({ applied }, 'database migrated')
    const newToken = config.http ? await ensureCredential(config, databaseUrl, log) : undefined
    if (newToken !== undefined) onNewToken?.(newToken)

    const tracing = await startTracing(config, log)
    if (tracing) started.push(() => tracing.stop())
    const sandbox = config.campaignManagerUrl === undefined ? createSandbox({ now: clock.now }) : undefined
    if (sandbox) started.push(() => sandbox.close())
    const sandboxUrl = sandbox && (await listenSandbox(sandbox, config))
    if (sandboxUrl !== undefined) {
      log.warn(
        { url: sandboxUrl },
        'no CAMPAIGN_MANAGER_URL: running on the bundled sandbox, which forgets when it stops',
      )
    }
    const campaignManagerUrl = config.campaignManagerUrl ?? sandboxUrl ?? ''

    const service = await compose({ config: { ...config, databaseUrl, campaignManagerUrl }, clock, log })
    started.push(() => service.stop())
    // A sandbox begins empty, and the directory does not: everybody is looked at again.
    if (sandbox) await service.resync.markEveryone()
    const http = config.http ? await listen(service.http, 'PORT', config.host, config.port) : undefined
    const metrics =
      service.metricsServer &&
      (await listen(service.metricsServer, 'METRICS_PORT', config.host, config.metricsPort ?? 0))
    service.start()
    log.info({ http, metrics, reconcile: config.reconcile }, 'service started')
    return {
      service,
      sandbox,
      stop,
      urls: {
        ...(http !== undefined && { http }),
        ...(metrics !== undefined && { metrics }),
        ...(sandboxUrl !== undefined && { sandbox: sandboxUrl }),
      },
    }
  } catch (error) {
    await stop().catch((cause) => log.error({ err: cause }, 'what was started could not be stopped'))
    throw error
  }
}

async function embedded(config: Config, log: Logger): Promise<EmbeddedPostgres> {
  log.warn({ dataDir: config.dataDir }, 'no DATABASE_URL: running on the embedded database')
  return startEmbeddedPostgres({ dataDir: config.dataDir, log })
}

/** Nobody could provision without a credential, so production refuses to start and a first trial gets one made. */
async function ensureCredential(
  config: Config,
  databaseUrl: string,
  log: Logger,
): Promise<string | undefined> {
  if (config.scimToken !== undefined) return undefined
  const { db, close } = connect({ url: databaseUrl, log, poolMax: 1 })
  try {
    if (await hasUsableCredential(db)) return undefined
    if (config.production) {
      throw new ConfigError([
        'SCIM_TOKEN: must be set with NODE_ENV=production until a credential has been made with "token create" or "client create"',
      ])
    }
    return (await issueToken(db, 'default', 'made at the first start', TOKEN_DAYS, { author: SERVICE }))
      ?.token
  } finally {
    await close()
  }
}

async function listenSandbox(sandbox: Sandbox, config: Config): Promise<string> {
  const port = config.port === 0 ? 0 : SANDBOX_PORT
  try {
    return await sandbox.listen({ host: '127.0.0.1', port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return sandbox.listen({ host: '127.0.0.1', port: 0 })
  }
}

async function listen(app: FastifyInstance, setting: string, host: string, port: number): Promise<string> {
  await app.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError([`${setting}: cannot listen on ${host}:${port} (${error.code})`])
  })
  const { address, family, port: bound } = app.server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`
}
