import type { Kysely } from 'kysely'
import { checkSchema } from './db/migrate.ts'
import { MIGRATIONS } from './db/migrations-folder.ts'
import type { Database } from './db/tables.ts'
import type { Logger } from './log.ts'

const LOOK_EVERY_MS = 5000

export interface SchemaGuardOptions {
  readonly db: Kysely<Database>
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic: () => number
  readonly log: Pick<Logger, 'error'>
}

/**
 * Whether this version can still work with the database: it cannot once a newer version's breaking migration has come in while
 * it runs. Looked at every few seconds.
 */
export function createSchemaGuard({ db, monotonic, log }: SchemaGuardOptions): () => Promise<boolean> {
  let last: { at: number; fits: boolean } | undefined
  return async () => {
    const now = monotonic()
    if (last && (now - last.at < LOOK_EVERY_MS || !last.fits)) return last.fits
    const { breaking } = await checkSchema(db, { folder: MIGRATIONS })
    last = { at: now, fits: breaking.length === 0 }
    if (!last.fits)
      log.error({ breaking }, 'the database was migrated for a newer version: nothing is reconciled')
    return last.fits
  }
}
