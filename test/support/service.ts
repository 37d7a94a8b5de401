import { readFileSync } from 'node:fs'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { loadConfig } from '../../src/config.ts'
import { createLogger } from '../../src/log.ts'
import { createSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/server.ts'
import { type RunningService, startService } from '../../src/start.ts'
import { openDatabase } from './database.ts'
import { type ScimRequest, scimClient } from './scim-client.ts'

export const SCIM_TOKEN = 'test-token-of-the-default-tenant-0123456789'
export const CAMPAIGN_MANAGER_TOKEN = 'campaign-manager-key'

type TestDatabase = Awaited<ReturnType<typeof openDatabase>>

export interface TestService {
  readonly url: string
  readonly database: TestDatabase
  readonly sandbox: Sandbox
  /** CAMPAIGN_MANAGER_URL of the sandbox. */
  readonly campaignManagerUrl: string
  readonly running: RunningService
  readonly scim: ScimRequest
  /** Reconciles until nothing is due. Those that wait or failed stay for later. */
  settle(): Promise<void>
  /** Makes what waits or failed due at once, or only what did so for this reason, then settles. */
  retry(reason?: string): Promise<void>
  /** Compares every account with Campaign Manager, as a resync does. */
  resync(): Promise<void>
  /** The accounts of Campaign Manager as `{ address: roles }`, by address. */
  accounts(): Record<string, string[]>
}

export interface TestServiceOptions {
  /** Settings beside those that make it a test: a database of its own, a sandbox of its own, a port of its own. */
  readonly env?: Readonly<Record<string, string>>
  readonly roles?: SandboxOptions['roles']
  /** A further process's worth of service on what another one uses. */
  readonly beside?: TestService
  /** Gets every line of the log, as an object. */
  readonly onLog?: (line: Record<string, unknown>) => void
}

/**
 * The service as it ships, over real HTTP, on a real Postgres and a real HTTP Campaign Manager. Nothing is reconciled
 * until the test says so, unless it sets RECONCILE=on.
 */
export async function startTestService(t: Test, options: TestServiceOptions = {}): Promise<TestService> {
  const database = options.beside?.database ?? (await openDatabase(t))
  const sandbox = options.beside?.sandbox ?? (await openSandbox(t, options.roles))
  const campaignManagerUrl = options.env?.CAMPAIGN_MANAGER_URL ?? sandboxUrl(sandbox)
  const config = loadConfig(
    {
      PORT: '0',
      DATABASE_URL: database.url,
      CAMPAIGN_MANAGER_URL: campaignManagerUrl,
      CAMPAIGN_MANAGER_TOKEN,
      CAMPAIGN_MANAGER_RATE: '0',
      // Each at work takes a connection to Postgres, and to open one takes longer than what it is for.
      CAMPAIGN_MANAGER_CONCURRENCY: '3',
      SCIM_TOKEN,
      RECONCILE: 'off',
      RESYNC_INTERVAL_SECONDS: '0',
      LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
      ...options.env,
    },
    (path) => readFileSync(path, 'utf8'),
  )
  const running = await startService({
    config,
    clock: systemClock,
    log: options.onLog
      ? createLogger({ level: 'info', destination: { write: (line) => options.onLog?.(JSON.parse(line)) } })
      : createLogger({ level: config.logLevel }),
  })
  t.teardown(() => running.stop())
  const { worker, resync } = running.service
  const settle = async (): Promise<void> => {
    while ((await worker.runOnce()) > 0);
  }
  const url = running.urls.http ?? ''
  return {
    url,
    database,
    sandbox,
    campaignManagerUrl,
    running,
    scim: scimClient(url, SCIM_TOKEN),
    settle,
    async retry(reason) {
      const those = reason === undefined ? sql`` : sql`where failure = ${reason}`
      await sql`update dirty_user set not_before = now() ${those}`.execute(database.db)
      await sql`update account set missing_since = missing_since - interval '1 minute'`.execute(database.db)
      await settle()
    },
    async resync() {
      await resync.markEveryone()
      await settle()
    },
    accounts: () => Object.fromEntries(sandbox.state.users().map(({ email, roles }) => [email, roles])),
  }
}

const urls = new WeakMap<Sandbox, string>()

async function openSandbox(t: Test, roles: SandboxOptions['roles']): Promise<Sandbox> {
  const sandbox = createSandbox({ now: systemClock.now, token: CAMPAIGN_MANAGER_TOKEN, roles })
  urls.set(sandbox, await sandbox.listen({ host: '127.0.0.1', port: 0 }))
  t.teardown(() => sandbox.close())
  return sandbox
}

const sandboxUrl = (sandbox: Sandbox): string => urls.get(sandbox) ?? ''
