import type { Kysely } from 'kysely'
import { createOutageLog } from '../db/outage-log.ts'
import type { Database } from '../db/tables.ts'
import { type AuditDuty, everyNow } from './duty.ts'
import { listHeads } from './read.ts'

export interface HeadLogOptions {
  readonly db: Kysely<Database>
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

const EVERY_MS = 60_000

/**
 * Writes the newest entry of every tenant to the log when it has changed, so that it leaves the host with the log: whoever rewrites
 * the trail, or cuts its end off, cannot rewrite that.
 */
export function createHeadLog({ db, log }: HeadLogOptions): AuditDuty {
  const written = new Map<number, string>()
  const outage = createOutageLog({
    log,
    level: 'warn',
    message: 'the heads of the audit trail cannot be read',
    again: 'the heads of the audit trail can be read again',
  })

  async function runOnce(): Promise<number> {
    let changed = 0
    for (const { tenantId, tenant, sequence, hash } of await listHeads(db)) {
      const head = `${sequence}:${hash.toString('hex')}`
      if (sequence === 0 || written.get(tenantId) === head) continue
      log.info({ tenantId, tenant, head }, 'audit head')
      written.set(tenantId, head)
      changed += 1
    }
    return changed
  }

  return everyNow({
    everyMs: EVERY_MS,
    runOnce,
    atEnd: true,
    onSuccess: outage.worked,
    onError: outage.failed,
  })
}
