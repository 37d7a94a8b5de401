import { setTimeout as delay } from 'node:timers/promises'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { AUTH_FAILURES } from './access/principal.ts'

/** What is read from the store when Prometheus asks. */
export interface StoreReadings {
  readonly pending: number
  readonly failing: number
  readonly oldestSeconds: number
  readonly oldestRemovalSeconds: number
  readonly inactiveWithAccess: number
  readonly deletionsHeld: number
  /** When a SCIM client last changed something; undefined: none ever did. */
  readonly lastScimWriteSeconds: number | undefined
  readonly credentials: readonly { tenant: string; credential: string; expirySeconds: number }[]
}

export interface MetricsOptions {
  /** Rejects while the store cannot be asked: what is read from it is then left out. */
  readonly readStore: () => Promise<StoreReadings>
  /** Users by standing. Apart, because all of them have to be counted. */
  readonly readAccounts: () => Promise<ReadonlyMap<string, number>>
  /** How long a scrape waits for either. Below Prometheus' default limit of 10 seconds for a scrape, which must succeed all the same. */
  readonly patienceMs?: number
  readonly circuitOpen: () => boolean
  readonly credentialsRefused: () => boolean
  readonly tenantsUnusable: () => number
  readonly onError: (error: unknown) => void
}

export interface Metrics {
  readonly httpRequest: (method: string, route: string, status: number, seconds: number) => void
  readonly reconciled: (outcome: string, seconds: number) => void
  readonly campaignManagerRequest: (operation: string, outcome: string, seconds: number) => void
  readonly roleChange: (change: 'added' | 'removed', count: number) => void
  readonly drift: (kind: string) => void
  readonly authFailure: (reason: (typeof AUTH_FAILURE_REASONS)[number]) => void
  readonly scrape: () => Promise<{ contentType: string; text: string }>
}

const PREFIX = 'scim_bridge_'
/** Seconds. Up to Entra's own limit of 60. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const STANDINGS = ['awaiting', 'assigned', 'released', 'deleted']
/** Those of the SCIM routes and of the token endpoint. */
const AUTH_FAILURE_REASONS = [...AUTH_FAILURES, 'long_lived'] as const

/** Every metric of the service, on a registry of its own. Names are part of the service's interface. */
export function createMetrics({
  readStore,
  readAccounts,
  patienceMs = 4000,
  circuitOpen,
  credentialsRefused,
  tenantsUnusable,
  onError,
}: MetricsOptions): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]

  const httpRequests = new Histogram({
    name: `${PREFIX}http_request_duration_seconds`,
    help: 'Time to answer a request, by route pattern',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  const reconciled = new Counter({
    name: `${PREFIX}reconcile_total`,
    help: 'Attempts to bring an account in line with the directory, by how they ended',
    labelNames: ['outcome'],
    registers,
  })
  const reconcileDuration = new Histogram({
    name: `${PREFIX}reconcile_duration_seconds`,
    help: 'Time that one attempt took',
    buckets: REQUEST_BUCKETS,
    registers,
  })
  const calls = new Histogram({
    name: `${PREFIX}campaign_manager_request_duration_seconds`,
    help: 'Time that a call to Campaign Manager took, by operation and how it ended',
    labelNames: ['operation', 'outcome'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  const roleChanges = new Counter({
    name: `${PREFIX}role_changes_total`,
    help: 'Roles that were put on or taken off accounts',
    labelNames: ['change'],
    registers,
  })
  const authFailures = new Counter({
    name: `${PREFIX}auth_failures_total`,
    help: 'Requests that were refused for their credential',
    labelNames: ['reason'],
    registers,
  })
  // A counter that comes into being with a burst has no increase.
  for (const reason of AUTH_FAILURE_REASONS) authFailures.inc({ reason }, 0)
  const drift = new Counter({
    name: `${PREFIX}drift_found_total`,
    help: 'Accounts that were found changed in Campaign Manager by somebody else',
    labelNames: ['kind'],
    registers,
  })
  const credentialExpiry = new Gauge({
    name: `${PREFIX}credential_expiry_seconds`,
    help: 'Time until a credential expires',
    labelNames: ['tenant', 'credential'],
    registers,
  })
  const gauge = (name: string, help: string) => new Gauge({ name: `${PREFIX}${name}`, help, registers })
  const databaseUp = gauge('database_up', '1 when this process could read the database for this scrape')
  const pending = gauge('reconcile_pending', 'Users whose account may differ from the directory')
  const oldest = gauge(
    'reconcile_oldest_pending_seconds',
    'Age of the oldest change that Campaign Manager has not confirmed',
  )
  const oldestRemoval = gauge(
    'reconcile_oldest_removal_seconds',
    'Age of the oldest removal of access that Campaign Manager has not confirmed',
  )
  const lastScimWrite = gauge(
    'last_scim_write_timestamp_seconds',
    'When a SCIM client last changed something, through whichever process',
  )
  const lastCampaignManagerWrite = gauge(
    'last_campaign_manager_write_timestamp_seconds',
    'When this process last wrote to Campaign Manager with success, or when it started',
  )
  lastCampaignManagerWrite.setToCurrentTime()
  const failing = gauge(
    'reconcile_failing',
    'Pending users whose last attempt failed or is waiting for somebody',
  )
  const inactive = gauge(
    'inactive_users_with_access',
    'Users deactivated in Entra whose Campaign Manager account can still be used',
  )
  const held = gauge(
    'deletions_held',
    'Accounts that are disabled instead of deleted, until an operator decides',
  )
  const circuit = gauge(
    'campaign_manager_circuit_open',
    '1 while this process asks nothing of some Campaign Manager',
  )
  const credentials = gauge(
    'campaign_manager_credentials_refused',
    '1 while some Campaign Manager does not accept the credentials of this process',
  )
  const unusable = gauge(
    'tenants_unusable',
    'Tenants whose work waits in this process because of their settings, as a key that cannot be decrypted',
  )
  const accounts = new Gauge({
    name: `${PREFIX}accounts`,
    help: 'SCIM users by standing',
    labelNames: ['standing'],
    registers,
  })

  const tryToRead = <T>(read: () => Promise<T>): Promise<T | undefined> =>
    Promise.race([
      read().catch((error: unknown) => {
        onError(error)
        return undefined
      }),
      delay(patienceMs, undefined, { ref: false }),
    ])

  function show(readings: StoreReadings | undefined): void {
    databaseUp.set(readings === undefined ? 0 : 1)
    for (const [each, value] of [
      [pending, readings?.pending],
      [failing, readings?.failing],
      [oldest, readings?.oldestSeconds],
      [oldestRemoval, readings?.oldestRemovalSeconds],
      [inactive, readings?.inactiveWithAccess],
      [held, readings?.deletionsHeld],
      [lastScimWrite, readings?.lastScimWriteSeconds],
    ] as const) {
      // A value of former times would tell that all is well, or that it is as bad as it was.
      if (value === undefined) each.remove()
      else each.set(value)
    }
    credentialExpiry.reset()
    for (const { tenant, credential, expirySeconds } of readings?.credentials ?? []) {
      credentialExpiry.set({ tenant, credential }, expirySeconds)
    }
  }

  function showAccounts(counts: ReadonlyMap<string, number> | undefined): void {
    accounts.reset()
    if (counts === undefined) return
    for (const standing of STANDINGS) accounts.set({ standing }, counts.get(standing) ?? 0)
  }

  return {
    httpRequest: (method, route, status, seconds) =>
      httpRequests.observe({ method, route, status: String(status) }, seconds),
    reconciled(outcome, seconds) {
      reconciled.inc({ outcome })
      reconcileDuration.observe(seconds)
    },
    campaignManagerRequest(operation, outcome, seconds) {
      calls.observe({ operation, outcome }, seconds)
      if (/^(create|replace|delete)_/.test(operation) && outcome === 'ok') {
        lastCampaignManagerWrite.setToCurrentTime()
      }
    },
    roleChange: (change, count) => roleChanges.inc({ change }, count),
    drift: (kind) => drift.inc({ kind }),
    authFailure: (reason) => authFailures.inc({ reason }),
    async scrape() {
      const [readings, counts] = await Promise.all([tryToRead(readStore), tryToRead(readAccounts)])
      circuit.set(circuitOpen() ? 1 : 0)
      credentials.set(credentialsRefused() ? 1 : 0)
      unusable.set(tenantsUnusable())
      show(readings)
      showAccounts(counts)
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
