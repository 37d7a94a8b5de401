import type { Kysely } from 'kysely'
import { checkSchema } from './db/migrate.ts'
import { MIGRATIONS } from './db/migrations-folder.ts'
import { createOutageLog } from './db/outage-log.ts'
import type { Database } from './db/tables.ts'
import type { Logger } from './log.ts'

export interface ReadinessOptions {
  readonly db: Kysely<Database>
  readonly log: Logger
  readonly isStopping: () => boolean
}

/** Why a process should get no requests now; undefined when it may. */
export function createNotReady({ db, log, isStopping }: ReadinessOptions): () => Promise<string | undefined> {
  const outage = createOutageLog({
    log,
    level: 'warn',
    message: 'not ready: the database does not answer',
    again: 'the database answers again',
  })
  return async () => {
    if (isStopping()) return 'stopping'
    const schema = await checkSchema(db, { folder: MIGRATIONS }).catch((error) => {
      outage.failed(error)
      return undefined
    })
    if (schema === undefined) return 'the database does not answer'
    outage.worked()
    if (schema.breaking.length > 0) {
      return `the database was migrated for a newer version: ${schema.breaking.join(', ')}`
    }
    return schema.pending.length > 0 ? `migrations are pending: ${schema.pending.join(', ')}` : undefined
  }
}
