import type { Kysely } from 'kysely'
import { RECONCILER } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import {
  beginHold,
  type DeletionCounting,
  type DeletionFigures,
  isHeld,
  measureDeletions,
} from '../directory/deletion-holds.ts'

/** How many deletions are too many: more than both. */
export interface DeletionLimits {
  /** 0 = nothing is ever too much. */
  readonly count: number
  readonly percent: number
}

export const areTooMany = (
  { deleted, pending, accounts }: DeletionFigures,
  { count, percent }: DeletionLimits,
): boolean => {
  const affected = deleted + pending
  return count > 0 && affected > count && affected * 100 > percent * accounts
}

export interface DeletionGuardOptions {
  readonly db: Kysely<Database>
  readonly limits: DeletionLimits
  readonly counting: DeletionCounting
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic: () => number
  readonly log: { error(fields: object, message: string): void }
}

/**
 * Whether an account of the tenant may be deleted now. Once too many would be, none may, until an operator decides.
 *
 * @param deletesForeign as the tenant has it, where that is not as in `counting`
 */
export type DeletionGuard = (tenantId: number, deletesForeign?: boolean) => Promise<boolean>

/** Counting reads the backlog, so one count serves all deletions of a tenant for this long. */
const COUNT_EVERY_MS = 1000

interface Count {
  readonly at: number
  readonly figures: Promise<DeletionFigures>
  /** Deletions that were let pass on the strength of this count. */
  passed: number
}

export function createDeletionGuard(options: DeletionGuardOptions): DeletionGuard {
  const { db, limits, monotonic, log } = options
  const counts = new Map<number, Count>()

  function count(tenantId: number, counting: DeletionCounting): Count {
    const begun: Count = { at: monotonic(), figures: measureDeletions(db, tenantId, counting), passed: 0 }
    counts.set(tenantId, begun)
    // Whoever waits for it is told; the next one counts anew.
    begun.figures.catch(() => counts.delete(tenantId))
    return begun
  }

  /** The last count, unless it is old, or what it let pass would be too much even if nothing had been pending. */
  async function latest(
    tenantId: number,
    counting: DeletionCounting,
  ): Promise<{ figures: DeletionFigures; count: Count }> {
    const last = counts.get(tenantId)
    if (last && monotonic() - last.at < COUNT_EVERY_MS) {
      const figures = await last.figures
      const passed = { ...figures, deleted: figures.deleted + last.passed + 1, pending: 0 }
      if (!areTooMany(passed, limits)) return { figures, count: last }
    }
    const begun = count(tenantId, counting)
    return { figures: await begun.figures, count: begun }
  }

  async function hold(tenantId: number, counting: DeletionCounting): Promise<boolean> {
    let seen: DeletionFigures | undefined
    const outcome = await inTransaction(db, async (trx) => {
      const begun = await beginHold(trx, tenantId, counting, (figures) => {
        seen = figures
        return areTooMany(figures, limits)
      })
      if (begun === 'begun') {
        recordAudit(trx, tenantId, RECONCILER, {
          operation: 'deletions.hold',
          resourceType: 'Tenant',
          resourceId: String(tenantId),
          detail: { ...seen, minutes: counting.windowMinutes },
        })
      }
      return begun
    })
    if (outcome === 'begun') {
      log.error(
        { tenantId, ...seen, minutes: counting.windowMinutes },
        'too many accounts would be deleted: they are disabled instead, until an operator releases or cancels that',
      )
    }
    return outcome !== 'not needed'
  }

  return async (tenantId, deletesForeign = options.counting.deletesForeign) => {
    const counting = { ...options.counting, deletesForeign }
    // One begun by any process counts, and so does one from before the guard was switched off.
    if (await isHeld(db, tenantId)) return false
    if (limits.count === 0) return true
    const { figures, count } = await latest(tenantId, counting)
    if (areTooMany(figures, limits) && (await hold(tenantId, counting))) return false
    count.passed += 1
    return true
  }
}
