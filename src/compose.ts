import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { createAuthenticator } from './access/authenticate.ts'
import { expiringTokens } from './access/tokens.ts'
import { createCampaignManagerClient } from './campaign-manager/client.ts'
import { createRoleCatalog } from './campaign-manager/role-catalog.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { connect } from './db/connect.ts'
import { isRetryable, isUnavailable } from './db/errors.ts'
import { pendingMigrations } from './db/migrate.ts'
import { MIGRATIONS } from './db/migrations-folder.ts'
import { serviceKey } from './db/service-key.ts'
import { RetryTransaction } from './db/transaction.ts'
import { countByStanding, countInactiveWithAccess } from './directory/accounts.ts'
import { countHeld } from './directory/deletion-holds.ts'
import { refoldExtensions } from './directory/refold.ts'
import { resourceStore } from './directory/resources.ts'
import { createCursors } from './http/cursors.ts'
import { type CursorContent, createLists } from './http/lists.ts'
import { createBaseUrl } from './http/present.ts'
import { scimResources } from './http/scim-resources.ts'
import { createHttpServer, createMetricsServer } from './http/server.ts'
import type { Logger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { ProvisioningContext } from './provisioning/context.ts'
import { createDeletionGuard } from './provisioning/deletion-guard.ts'
import { checkGroupName } from './provisioning/group-name.ts'
import { takeInventoryStep } from './provisioning/inventory-step.ts'
import { reconcileUser } from './provisioning/reconcile-user.ts'
import { together } from './provisioning/together.ts'
import { measureBacklog } from './reconcile/backlog.ts'
import { createCallGate } from './reconcile/call-gate.ts'
import { createResync, type Resync } from './reconcile/resync.ts'
import { createRoleWatch } from './reconcile/role-watch.ts'
import { createWorker, type Duty, type Worker } from './reconcile/worker.ts'
import { createResourceTypes } from './scim/resource-types.ts'

export interface ServiceParts {
  /** As loaded, with `databaseUrl` and `campaignManagerUrl` filled in. */
  readonly config: Config & { readonly databaseUrl: string; readonly campaignManagerUrl: string }
  readonly clock: Clock
  readonly log: Logger
}

export interface Service {
  readonly http: FastifyInstance
  readonly metricsServer: FastifyInstance | undefined
  readonly worker: Worker
  readonly resync: Resync
  readonly roleWatch: Duty
  readonly metrics: Metrics
  /** Starts the duties that are on, once the servers listen. */
  start(): void
  /** Not ready; nothing more begun; what is under way finished or given back; requests drained; everything closed. */
  stop(): Promise<void>
}

/** How long Entra's request may wait for the role list, when a group is created or renamed. */
const ROLE_LIST_PATIENCE_MS = 3000
/** After how long a parked user is tried again even if there is no resync. */
const PARKED_MS = 3_600_000
/** How often to look for new roles, at most. */
const ROLE_WATCH_MS = 5000
/** How often to look for users that another process marked. */
const POLL_MS = 500
/** What a stop waits for, at most; together less than the 9.5 s after which the process ends all the same. */
const RECONCILE_PATIENCE_MS = 3500
const REQUEST_PATIENCE_MS = 2000
const GIVE_BACK_PATIENCE_MS = 1000

const within = (ms: number, work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work, delay(ms, undefined, { ref: false })])

/** Builds every part and hands each what it needs. */
export async function compose({ config, clock, log }: ServiceParts): Promise<Service> {
  const { db, close: closeDatabase } = connect({
    url: config.databaseUrl,
    log,
    poolMax: 10 + config.campaignManagerConcurrency,
  })
  let stopping = false
  const closing = new AbortController()

  const metrics: Metrics = createMetrics({
    readStore: async () => {
      const [backlog, accounts, inactiveWithAccess, deletionsHeld, credentials] = await Promise.all([
        measureBacklog(db),
        countByStanding(db),
        config.onDeactivate === 'ignore' ? countInactiveWithAccess(db) : 0,
        countHeld(db),
        expiringTokens(db),
      ])
      return { ...backlog, accounts, inactiveWithAccess, deletionsHeld, credentials }
    },
    circuitOpen: () => worker.circuitOpen,
    credentialsRefused: () => worker.credentialsRefused,
    onError: (error) => log.warn({ err: error }, 'the metrics that are read from the database are stale'),
  })

  const campaignManager = createCampaignManagerClient({
    baseUrl: config.campaignManagerUrl,
    token: config.campaignManagerToken,
    timeoutMs: config.campaignManagerTimeoutMs,
    now: clock.now,
    monotonic: clock.monotonic,
    gate: createCallGate({
      concurrency: config.campaignManagerConcurrency,
      ratePerSecond: config.campaignManagerRate,
      monotonic: clock.monotonic,
      // A call that waits for its turn when the process stops goes on at once, and finds the client closed.
      delay: (ms) => delay(ms, undefined, { signal: closing.signal }).catch(() => {}),
    }),
    observe: metrics.campaignManagerRequest,
  })
  const roleCatalog = createRoleCatalog({
    campaignManager,
    ttlMs: config.roleCacheSeconds * 1000,
    now: clock.monotonic,
  })

  const mayDelete = createDeletionGuard({
    db,
    limits: { count: config.deletionGuardCount, percent: config.deletionGuardPercent },
    counting: {
      windowMinutes: config.deletionGuardMinutes,
      deletesForeign: config.onUserDelete === 'delete',
    },
    monotonic: clock.monotonic,
    log,
  })

  const worker = createWorker({
    db,
    attempt: (claim) =>
      reconcileUser(
        {
          db,
          campaignManager,
          roleCatalog,
          placeholderRole: config.placeholderRole,
          policies: config,
          mayDelete,
          log,
          onRoleChange: metrics.roleChange,
          onDrift: metrics.drift,
        },
        claim,
      ),
    concurrency: config.campaignManagerConcurrency,
    pollMs: POLL_MS,
    parkedMs: PARKED_MS,
    failed: { baseMs: 1000, maxMs: 300_000 },
    monotonic: clock.monotonic,
    random: Math.random,
    log,
    observe: metrics.reconciled,
  })
  const roleWatch = createRoleWatch({
    db,
    reasons: ['role_unknown', 'placeholder_missing'],
    listRoles: () => roleCatalog.get(),
    intervalMs: Math.max(ROLE_WATCH_MS, config.roleCacheSeconds * 1000),
    onDirty: worker.wake,
    log,
  })
  const resync = createResync({
    db,
    intervalSeconds: config.resyncIntervalSeconds,
    takeStep: (walk, place) =>
      takeInventoryStep(
        { db, campaignManager, roleCatalog, placeholderRole: config.placeholderRole, policies: config },
        walk,
        place,
      ),
    onDrift: metrics.drift,
    onDirty: worker.wake,
    log,
  })

  const types = createResourceTypes(config.schemaExtensions)
  for (const type of [types.user, types.group]) {
    const resources = await refoldExtensions(db, type)
    if (resources > 0) log.info({ type: type.name, resources }, 'SCHEMA_EXTENSIONS changed: searched anew')
  }
  const provisioning: ProvisioningContext = {
    db,
    users: resourceStore(types.user),
    groups: resourceStore(types.group),
    log,
    onDirty: worker.wake,
    checkGroupName: (displayName) =>
      checkGroupName(
        {
          roleCatalog,
          placeholderRole: config.placeholderRole,
          protectedRoles: config.protectedRoles,
          unknownRole: config.unknownRole,
          patience: () => delay(ROLE_LIST_PATIENCE_MS, undefined, { ref: false }),
          log,
        },
        displayName,
      ),
  }

  const http = await createHttpServer({
    log,
    trustProxy: config.trustProxy,
    probes: {
      notReady: async () => {
        if (stopping) return 'stopping'
        const pending = await pendingMigrations(db, { folder: MIGRATIONS }).catch((error) => {
          log.warn({ err: error }, 'not ready: the database does not answer')
          return undefined
        })
        if (pending === undefined) return 'the database does not answer'
        return pending.length > 0 ? `migrations are pending: ${pending.join(', ')}` : undefined
      },
    },
    scim: {
      authenticate: createAuthenticator({ db, scimToken: config.scimToken }),
      onAuthFailure: metrics.authFailure,
      types,
      resources: scimResources(provisioning),
      list: createLists(db, createCursors<CursorContent>(serviceKey(db, 'cursor'), clock.now)),
      isAway: isUnavailable,
      together: (work) => together(provisioning, (context) => work(scimResources(context))),
      baseUrl: createBaseUrl(config.publicUrl),
      isUnavailable: (error) =>
        isUnavailable(error) || isRetryable(error) || error instanceof RetryTransaction,
    },
    metrics: config.metricsPort === undefined ? metrics.scrape : undefined,
    onResponse: metrics.httpRequest,
  })
  const metricsServer =
    config.metricsPort === undefined ? undefined : createMetricsServer(log, metrics.scrape)

  return {
    http,
    metricsServer,
    worker,
    resync,
    roleWatch,
    metrics,
    start() {
      if (!config.reconcile) return
      worker.start()
      resync.start()
      roleWatch.start()
    },
    async stop() {
      stopping = true
      await within(RECONCILE_PATIENCE_MS, Promise.all([resync.stop(), roleWatch.stop(), worker.stop()]))
      // What is still under way is broken off, and so gives its users back, for this or another process to begin anew.
      closing.abort()
      await campaignManager.close()
      await within(GIVE_BACK_PATIENCE_MS, worker.stop())
      const closed = Promise.all([http.close(), metricsServer?.close()])
      await within(REQUEST_PATIENCE_MS, closed)
      // A client that never finishes its request must not keep the process.
      http.server.closeAllConnections()
      metricsServer?.server.closeAllConnections()
      await within(GIVE_BACK_PATIENCE_MS, closed)
      await within(GIVE_BACK_PATIENCE_MS, closeDatabase())
    },
  }
}
