import type { Kysely } from 'kysely'
import type { CampaignManager } from './campaign-manager/client.ts'
import type { RoleCatalog } from './campaign-manager/role-catalog.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { Database } from './db/tables.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { createDeletionGuard } from './provisioning/deletion-guard.ts'
import { takeInventoryStep } from './provisioning/inventory-step.ts'
import { reconcileUser } from './provisioning/reconcile-user.ts'
import { createResync, type Resync } from './reconcile/resync.ts'
import { createRoleWatch } from './reconcile/role-watch.ts'
import { createWorker, type Duty, type Worker } from './reconcile/worker.ts'

export interface ReconcilerParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly db: Kysely<Database>
  readonly metrics: Metrics
  readonly campaignManager: CampaignManager
  readonly roleCatalog: RoleCatalog
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
  const { config, clock, log, db, metrics, campaignManager, roleCatalog } = parts
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
  return { worker, resync, roleWatch }
}
