import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import packageJson from '../package.json' with { type: 'json' }
import { createAuthenticator } from './access/authenticate.ts'
import { createFindEntraKeys } from './access/entra-keys.ts'
import { entraTokens } from './access/entra-tokens.ts'
import { fetchJson, KeysUnavailable } from './access/jwks-fetch.ts'
import { oauthAccessTokens } from './access/oauth-access.ts'
import { createFindKeys } from './access/oauth-authenticate.ts'
import { createGrantAccess } from './access/oauth-tokens.ts'
import { createExpiryWatch } from './access/token-expiry.ts'
import { createTokenUse } from './access/token-use.ts'
import { createHeadLog } from './audit/head-log.ts'
import { createRetention } from './audit/retention.ts'
import type { Clock } from './clock.ts'
import { composeReconciler } from './compose-reconciler.ts'
import type { Config } from './config.ts'
import { connectTenants } from './connect-tenants.ts'
import { connect } from './db/connect.ts'
import { isRetryable, isUnavailable } from './db/errors.ts'
import { createOutageLog } from './db/outage-log.ts'
import { serviceKey } from './db/service-key.ts'
import { RetryTransaction } from './db/transaction.ts'
import { refoldExtensions } from './directory/refold.ts'
import { resourceStore } from './directory/resources.ts'
import { createCursors } from './http/cursors.ts'
import { createFailureLimit } from './http/failure-limit.ts'
import { type CursorContent, createLists } from './http/lists.ts'
import { createBaseUrl } from './http/present.ts'
import { createRequestRate } from './http/request-rate.ts'
import { createRequestsInFlight, StoppedError } from './http/requests-in-flight.ts'
import { scimResources } from './http/scim-resources.ts'
import { createHttpServer, createMetricsServer } from './http/server.ts'
import type { Logger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { ProvisioningContext } from './provisioning/context.ts'
import { suspendInactive } from './provisioning/suspend-inactive.ts'
import { together } from './provisioning/together.ts'
import { createNotReady } from './readiness.ts'
import type { Resync } from './reconcile/resync.ts'
import type { Duty, Worker } from './reconcile/worker.ts'
import { createResourceTypes } from './scim/resource-types.ts'
import { createEncryptionKeys } from './sealed-secret.ts'
import { createStop } from './stop.ts'
import { createStoreReadings } from './store-readings.ts'
import { checkTenantGroupName } from './tenant-group-name.ts'

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
/** How often to look for tokens that are about to expire. */
const EXPIRY_WATCH_MS = 3_600_000

/** Builds every part and hands each what it needs. */
export async function compose({ config, clock, log }: ServiceParts): Promise<Service> {
  const {
    db,
    close: closeDatabase,
    breakOff,
  } = connect({
    url: config.databaseUrl,
    log,
    poolMax: 10 + config.campaignManagerConcurrency,
  })
  const stop = createStop(clock.monotonic)
  const closing = new AbortController()

  const storeReadings = createOutageLog({
    log,
    level: 'warn',
    message: 'the metrics that are read from the database are left out',
    again: 'the metrics that are read from the database are back',
  })
  const metrics: Metrics = createMetrics({
    ...createStoreReadings({
      db,
      onDeactivate: config.onDeactivate,
      monotonic: clock.monotonic,
      onRead: storeReadings.worked,
    }),
    circuitOpen: () => worker.circuitOpen,
    credentialsRefused: () => worker.credentialsRefused,
    tenantsUnusable: () => tenants.unusable,
    onError: storeReadings.failed,
  })

  const tenants = connectTenants({
    db,
    config,
    encryptionKeys: createEncryptionKeys(config.encryptionKey),
    clock,
    log,
    observe: metrics.campaignManagerRequest,
    closing: closing.signal,
  })
  const { worker, resync, roleWatch } = composeReconciler({
    config,
    clock,
    log,
    db,
    metrics,
    tenants,
  })

  const headLog = createHeadLog({ db, log })
  const expiryWatch = createExpiryWatch({ db, intervalMs: EXPIRY_WATCH_MS, log })
  const tokenUse = createTokenUse({ db, now: clock.now, log })
  const retention = createRetention({ db, days: config.auditRetentionDays, log })

  const types = createResourceTypes(config.schemaExtensions)
  for (const type of [types.user, types.group]) {
    const resources = await refoldExtensions(db, type)
    if (resources > 0) log.info({ type: type.name, resources }, 'SCHEMA_EXTENSIONS changed: searched anew')
  }
  if (config.reconcile) {
    const users = await suspendInactive(db, config.onDeactivate)
    if (users > 0)
      log.info({ users }, 'ON_DEACTIVATE=suspend: accounts of inactive users are to be suspended')
  }
  const provisioning: ProvisioningContext = {
    db,
    users: resourceStore(types.user),
    groups: resourceStore(types.group),
    log,
    onDirty: worker.wake,
    checkGroupName: (tenantId, displayName) =>
      checkTenantGroupName(
        tenants,
        { patience: () => delay(ROLE_LIST_PATIENCE_MS, undefined, { ref: false }), log },
        tenantId,
        displayName,
      ),
  }

  const mayComeBack = (error: unknown): boolean =>
    isUnavailable(error) ||
    isRetryable(error) ||
    error instanceof RetryTransaction ||
    error instanceof KeysUnavailable ||
    error instanceof StoppedError
  const baseUrl = createBaseUrl(config.publicUrl)
  const failureLimit = createFailureLimit({ monotonic: clock.monotonic })

  const inFlight = createRequestsInFlight()
  let isWatched = false
  const notReady = createNotReady({ db, log, isStopping: stop.hasBegun })
  const probes = {
    notReady: () => {
      isWatched = true
      return notReady()
    },
  }
  const http = await createHttpServer({
    log,
    version: packageJson.version,
    trustProxy: config.trustProxy,
    isStopping: stop.hasBegun,
    inFlight,
    probes,
    scim: {
      authenticate: createAuthenticator({
        db,
        scimToken: config.scimToken,
        onTokenUse: tokenUse.note,
        kinds: [
          oauthAccessTokens(db),
          entraTokens({
            db,
            findKeys: createFindEntraKeys(config.entraAuthority, fetchJson, clock.now),
            now: clock.now,
          }),
        ],
      }),
      onAuthFailure: metrics.authFailure,
      failureLimit,
      rate:
        config.scimRate > 0
          ? createRequestRate({ perSecond: config.scimRate, monotonic: clock.monotonic })
          : undefined,
      types,
      resources: scimResources(provisioning),
      list: createLists(db, createCursors<CursorContent>(serviceKey(db, 'cursor'), clock.now)),
      isAway: isUnavailable,
      isEnding: stop.isPressing,
      together: (work) => together(provisioning, (context) => work(scimResources(context))),
      baseUrl,
      isUnavailable: mayComeBack,
    },
    oauth: {
      grantAccess: createGrantAccess({ db, findKeys: createFindKeys(fetchJson, clock.now), now: clock.now }),
      onAuthFailure: metrics.authFailure,
      failureLimit,
      baseUrl,
      isUnavailable: mayComeBack,
    },
    metrics: config.metricsPort === undefined ? metrics.scrape : undefined,
    onResponse: metrics.httpRequest,
  })
  const metricsServer =
    config.metricsPort === undefined ? undefined : createMetricsServer(log, probes, metrics.scrape)

  return {
    http,
    metricsServer,
    worker,
    resync,
    roleWatch,
    metrics,
    start() {
      headLog.start()
      expiryWatch.start()
      if (!config.reconcile) return
      retention.start()
      worker.start()
      resync.start()
      roleWatch.start()
    },
    stop: () =>
      stop.run({
        servers: metricsServer ? [http, metricsServer] : [http],
        inFlight,
        isWatched: () => config.http && isWatched,
        stopReconciling: () =>
          Promise.all([retention.stop(), resync.stop(), roleWatch.stop(), worker.stop()]),
        closeCalls() {
          closing.abort()
          return tenants.close()
        },
        finish: () => Promise.all([headLog.stop(), expiryWatch.stop(), tokenUse.flush()]),
        breakOffDatabase: breakOff,
        closeDatabase,
      }),
  }
}
