import type { Kysely } from 'kysely'
import { RECENT_ROLES_MS } from './campaign-manager/role-catalog.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { TenantConnections, TenantUse } from './connect-tenants.ts'
import type { Database } from './db/tables.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { createDeletionGuard } from './provisioning/deletion-guard.ts'
import { takeInventoryStep } from './provisioning/inventory-step.ts'
import { reconcileUser } from './provisioning/reconcile-user.ts'
import type { Claim } from './reconcile/dirty-set.ts'
import { WalkPostponedError } from './reconcile/inventory-walk.ts'
import { createResync, type Resync } from './reconcile/resync.ts'
import { createRoleWatch } from './reconcile/role-watch.ts'
import { listTenantStates } from './reconcile/tenant-states.ts'
import { createWorker, type Duty, type Worker } from './reconcile/worker.ts'
import { createSchemaGuard } from './schema-guard.ts'
import { TenantUnusableError } from './tenant-campaign-manager.ts'

export interface ReconcilerParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly db: Kysely<Database>
  readonly metrics: Metrics
  readonly tenants: TenantConnections
}

export interface Reconciler {
  readonly worker: Worker
  readonly resync: Resync
  readonly roleWatch: Duty
}

/** After how long a parked user is tried again even if there is no resync. */
const PARKED_MS = 3_600_000
/** How often to look for new roles, at most. */
const ROLE_WATCH_MS = 5000
/** How often to look for users that another process marked. */
const POLL_MS = 500

/** Builds what makes Campaign Manager agree with the directory; nothing of it runs yet. */
export function composeReconciler(parts: ReconcilerParts): Reconciler {
  const { config, clock, log, db, metrics, tenants } = parts
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

  /** By the settings of now, which may have changed since the claim: what was read for it goes on with these alone. */
  const attempt = (claim: Claim, tenant: TenantUse) =>
    reconcileUser(
      {
        db,
        campaignManager: tenant.campaignManager,
        roleCatalog: tenant.roleCatalog,
        placeholderRole: tenant.policies.placeholderRole,
        policies: tenant.policies,
        mayDelete: (tenantId) => mayDelete(tenantId, tenant.policies.onUserDelete === 'delete'),
        log,
        onRoleChange: metrics.roleChange,
        onDrift: metrics.drift,
      },
      { ...claim, settingsVersion: tenant.version, endpoint: tenant.endpoint },
    )

  const fitsSchema = createSchemaGuard({ db, monotonic: clock.monotonic, log })
  const worker = createWorker({
    db,
    mayWork: fitsSchema,
    attempt: (claim) => tenants.use(claim.tenantId, (tenant) => attempt(claim, tenant)),
    lines: (served) => tenants.lines(served),
    concurrency: config.campaignManagerConcurrency,
    pollMs: POLL_MS,
    parkedMs: PARKED_MS,
    failed: { baseMs: 1000, maxMs: 300_000 },
    unavailable: { baseMs: 1000, maxMs: 20_000 },
    monotonic: clock.monotonic,
    random: Math.random,
    log,
    observe: metrics.reconciled,
  })
  const roleWatch = createRoleWatch({
    db,
    reasons: ['role_unknown', 'placeholder_missing'],
    sources: async () =>
      [...(await tenants.lines(await listTenantStates(db)))].map(([line, tenantIds]) => ({
        line,
        tenantIds,
        listRoles: () =>
          tenants.use(tenantIds[0] ?? 0, ({ roleCatalog }) => roleCatalog.get(RECENT_ROLES_MS)),
      })),
    intervalMs: Math.max(ROLE_WATCH_MS, config.roleCacheSeconds * 1000),
    onDirty: worker.wake,
    log,
  })
  const resync = createResync({
    db,
    intervalSeconds: config.resyncIntervalSeconds,
    takeStep: async (walk, place) => {
      if (!(await fitsSchema())) throw new WalkPostponedError('the database is a newer version’s')
      return tenants
        .useEndpoint(walk.endpoint, ({ line, campaignManager, roleCatalog }) => {
          if (worker.isPaused(line)) throw new WalkPostponedError('the circuit breaker is open')
          const { policiesOf } = tenants
          return takeInventoryStep({ db, campaignManager, roleCatalog, policiesOf }, walk, place)
        })
        .catch((error) => {
          throw error instanceof TenantUnusableError ? new WalkPostponedError(error.message) : error
        })
    },
    onDrift: metrics.drift,
    onDirty: worker.wake,
    log,
  })
  return { worker, resync, roleWatch }
}
