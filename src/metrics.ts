import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What is read from the store when Prometheus asks. */
export interface StoreReadings {
  readonly pending: number
  readonly failing: number
  readonly oldestSeconds: number
  readonly oldestRemovalSeconds: number
  readonly accounts: ReadonlyMap<string, number>
  readonly inactiveWithAccess: number
  readonly deletionsHeld: number
  readonly credentials: readonly { tenant: string; credential: string; expirySeconds: number }[]
}

const SCIM_ROUTES = '/scim/v2/'

export interface MetricsOptions {
  /** Rejects while the store cannot be asked: the gauges then keep what they last showed. */
  readonly readStore: () => Promise<StoreReadings>
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
  readonly authFailure: (reason: string) => void
  readonly scrape: () => Promise<{ contentType: string; text: string }>
}

const PREFIX = 'scim_bridge_'
/** Seconds. Up to Entra's own limit of 60. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const STANDINGS = ['awaiting', 'assigned', 'released', 'deleted']

/** Every metric of the service, on a registry of its own. Names are part of the service's interface. */
export function createMetrics({
  readStore,
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
    'When a SCIM client last changed something through this process, or when the process started',
  )
  const lastCampaignManagerWrite = gauge(
    'last_campaign_manager_write_timestamp_seconds',
    'When this process last wrote to Campaign Manager with success, or when it started',
  )
  lastScimWrite.setToCurrentTime()
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

  async function refresh(): Promise<void> {
    circuit.set(circuitOpen() ? 1 : 0)
    credentials.set(credentialsRefused() ? 1 : 0)
    unusable.set(tenantsUnusable())
    const readings = await readStore()
    pending.set(readings.pending)
    failing.set(readings.failing)
    oldest.set(readings.oldestSeconds)
    oldestRemoval.set(readings.oldestRemovalSeconds)
    inactive.set(readings.inactiveWithAccess)
    held.set(readings.deletionsHeld)
    credentialExpiry.reset()
    for (const { tenant, credential, expirySeconds } of readings.credentials) {
      credentialExpiry.set({ tenant, credential }, expirySeconds)
    }
    for (const standing of STANDINGS) accounts.set({ standing }, readings.accounts.get(standing) ?? 0)
  }

  return {
    httpRequest(method, route, status, seconds) {
      httpRequests.observe({ method, route, status: String(status) }, seconds)
      // An access token changes nothing, and neither does a search.
      const isScim = route.startsWith(SCIM_ROUTES) && !route.endsWith('/.search')
      const isWrite = isScim && !['GET', 'HEAD', 'OPTIONS'].includes(method)
      if (isWrite && status < 300) lastScimWrite.setToCurrentTime()
    },
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
      // A scrape must succeed while Postgres is away: the other metrics are what explains it.
      await refresh().catch(onError)
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
