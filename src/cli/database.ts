import { readFileSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { ConfigError, loadConfig, NO_DATABASE } from '../config.ts'
import { connect } from '../db/connect.ts'
import { startEmbeddedPostgres } from '../db/embedded.ts'
import { migrateDatabase } from '../db/migrate.ts'
import { MIGRATIONS } from '../db/migrations-folder.ts'
import type { Database } from '../db/tables.ts'
import { createLogger } from '../log.ts'
import type { CommandIo } from './command.ts'

/**
 * Runs an administrator's command on the database of the settings, migrated. Only the settings that concern the database
 * matter to it, so production's demand for a Campaign Manager does not.
 */
export async function withDatabase<T>(
  io: CommandIo,
  run: (db: Kysely<Database>) => Promise<T>,
  onMigrated: (applied: readonly string[]) => void = () => {},
): Promise<T> {
  const { DATABASE_URL, DATABASE_URL_FILE, DATA_DIR } = io.env
  const config = loadConfig({ DATABASE_URL, DATABASE_URL_FILE, DATA_DIR }, (path) =>
    readFileSync(path, 'utf8'),
  )
  if (io.env.NODE_ENV === 'production' && config.databaseUrl === undefined)
    throw new ConfigError([NO_DATABASE])
  const log = createLogger({ level: 'silent' })
  const embedded =
    config.databaseUrl === undefined
      ? await startEmbeddedPostgres({ dataDir: config.dataDir, log })
      : undefined
  try {
    const url = config.databaseUrl ?? embedded?.url ?? ''
    const { applied } = await migrateDatabase({ url, folder: MIGRATIONS, log })
    onMigrated(applied)
    const { db, close } = connect({ url, log, poolMax: 1 })
    try {
      return await run(db)
    } finally {
      await close()
    }
  } finally {
    await embedded?.stop()
  }
}
