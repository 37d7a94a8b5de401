import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'
import { type AuditDuty, everyNow } from './duty.ts'
import { SERVICE } from './entry.ts'
import { pruneAudit } from './prune.ts'

export interface RetentionOptions {
  readonly db: Kysely<Database>
  /** 0 = entries are kept for ever. */
  readonly days: number
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

const EVERY_MS = 3_600_000
const INSUFFICIENT_PRIVILEGE = '42501'

/** Prunes the trail in the course of time, if this process's database role may: one that may not leaves it to "audit prune". */
export function createRetention({ db, days, log }: RetentionOptions): AuditDuty {
  async function runOnce(): Promise<number> {
    if (days === 0) return 0
    const entries = await pruneAudit(db, SERVICE, { olderThanDays: days })
    if (entries > 0) log.info({ entries, days }, 'audit trail pruned')
    return entries
  }
  const duty = everyNow({
    everyMs: EVERY_MS,
    runOnce,
    onError: (err) => {
      const isForbidden = (err as { code?: unknown }).code === INSUFFICIENT_PRIVILEGE
      log.warn(
        { err },
        isForbidden
          ? 'the audit trail is not pruned: the database role of this process may not; run "audit prune" with one that may'
          : 'the audit trail could not be pruned',
      )
    },
  })
  return days === 0 ? { ...duty, start: () => {} } : duty
}
