import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql, type Transaction } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Logger } from '../log.ts'
import { lockBusyTables } from './busy-tables.ts'
import { connect } from './connect.ts'
import { isLockedOut } from './errors.ts'
import { lockMigrations } from './sessionless-dialect.ts'

const FILE_NAME = /^(\d{4})_[a-z0-9_-]+(\.breaking)?\.sql$/
/** What ends the name of a migration that versions without it cannot work on. All others leave them working. */
const BREAKING = '.breaking'
const OLDEST_SERVER = 15
const UNDEFINED_TABLE = '42P01'
const ATTEMPTS = 100
const PAUSE_MS = 500

/** The migrations and the database do not fit each other, or one of them failed (then with its `cause`). */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

type MigrationFolder = { folder: string }

/**
 * Brings the database to the newest migration of the folder: all of them or none, in one transaction, which also
 * holds the lock. Other processes that come at the same time wait, and then find nothing to do. Requests may go on: they
 * wait for the tables that change, and where both would wait for each other the transaction begins anew.
 */
export async function migrate<DB>(
  db: Kysely<DB>,
  { folder }: MigrationFolder,
): Promise<{ applied: string[] }> {
  const files = await listMigrations(folder)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(async (trx) => {
        await refuseOldServer(trx)
        await lockMigrations(trx)
        const executed = await executedHere(trx)
        refuseBreaking(unknownBreaking(files, executed))
        if (files.some((name) => !executed.has(name))) {
          await refuseReader(trx)
          await lockBusyTables(trx)
        }
        return { applied: await applyPending(trx, folder, files, executed) }
      })
    } catch (error) {
      if (!isLockedOut(error)) throw error
      if (attempt === ATTEMPTS) {
        throw new MigrationError(
          'the migrations could not lock their tables, and changed nothing; end what uses them for long (a backup, an open transaction), then try again',
          { cause: error },
        )
      }
    }
    await delay(PAUSE_MS * (0.5 + Math.random()))
  }
}

/** `migrate` over a connection of its own, which waits for a slow migration, or for another process's, as long as it takes. */
export async function migrateDatabase(options: {
  url: string
  folder: string
  log: Logger
}): Promise<{ applied: string[] }> {
  const connection = connect({ url: options.url, log: options.log, poolMax: 1, queryTimeoutMillis: 0 })
  try {
    return await migrate(connection.db, options)
  } finally {
    await connection.close()
  }
}

/** How the folder and the database fit each other; one query, for the readiness probe. */
export interface SchemaFit {
  /** Migrations of the folder that the database has not seen. */
  readonly pending: readonly string[]
  /** Breaking migrations of the database that the folder does not have. */
  readonly breaking: readonly string[]
}

export async function checkSchema<DB>(db: Kysely<DB>, { folder }: MigrationFolder): Promise<SchemaFit> {
  const [files, executed] = await Promise.all([listMigrations(folder), executedMigrations(db)])
  return {
    pending: files.filter((name) => !executed.has(name)),
    breaking: unknownBreaking(files, executed),
  }
}

const unknownBreaking = (files: readonly string[], executed: ReadonlySet<string>): string[] =>
  [...executed].filter((name) => name.endsWith(BREAKING) && !files.includes(name)).sort()

/** Names without `.sql`, in order. A stray file would be a migration that silently never runs, hence an error. */
async function listMigrations(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.') && name !== 'README.md').sort()
  const numbers = new Map<string, string>()
  for (const name of names) {
    const number = FILE_NAME.exec(name)?.[1]
    if (number === undefined) {
      throw new MigrationError(
        `${join(folder, name)}: a migration must be named NNNN_name.sql or NNNN_name.breaking.sql, in lower case`,
      )
    }
    const twin = numbers.get(number)
    if (twin !== undefined)
      throw new MigrationError(`two migrations have the number ${number}: ${twin} and ${name}`)
    numbers.set(number, name)
  }
  return names.map((name) => name.slice(0, -'.sql'.length))
}

async function executedMigrations<DB>(db: Kysely<DB>): Promise<ReadonlySet<string>> {
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
    return new Set(rows.map(({ name }) => name))
  } catch (error) {
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return new Set()
    throw error
  }
}

async function refuseOldServer<DB>(trx: Transaction<DB>): Promise<void> {
  const { rows } = await sql<{ server_version_num: string }>`show server_version_num`.execute(trx)
  const major = Math.trunc(Number(rows[0]?.server_version_num) / 10_000)
  if (!(major >= OLDEST_SERVER)) {
    throw new MigrationError(`the database server is Postgres ${major}; at least ${OLDEST_SERVER} is needed`)
  }
}

/** The migrator looks for its table after it could not make it, and reports that this failed, too: not why. */
async function refuseReader<DB>(trx: Transaction<DB>): Promise<void> {
  const { rows } = await sql<{ role: string; database: string; may: boolean | null }>`
    select current_user as role, current_database() as database,
           has_schema_privilege(current_schema(), 'create') as may`.execute(trx)
  const [found] = rows
  if (found === undefined || found.may) return
  throw new MigrationError(
    `the database role "${found.role}" may not create tables in the database "${found.database}", which migrations need; let it own the database, or grant it create on the schema`,
  )
}

/** As `executedMigrations`, within a transaction, which a query for a missing table would abort. */
async function executedHere<DB>(trx: Transaction<DB>): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('kysely_migration') is not null as there`.execute(trx)
  return rows[0]?.there ? executedMigrations(trx) : new Set()
}

function refuseBreaking(breaking: readonly string[]): void {
  if (breaking.length === 0) return
  throw new MigrationError(
    `the database has migration ${breaking.join(', ')}, which this version does not know and cannot work with; run a version that has it`,
  )
}

async function applyPending<DB>(
  trx: Transaction<DB>,
  folder: string,
  files: readonly string[],
  executed: ReadonlySet<string>,
): Promise<string[]> {
  const migrations = Object.fromEntries([
    // A newer version's: the migrator wants to know all that were executed.
    ...[...executed].map((name) => [name, alreadyExecuted]),
    ...files.map((name) => [name, sqlMigration(join(folder, `${name}.sql`))]),
  ])
  const migrator = new Migrator({ db: trx, provider: { getMigrations: async () => migrations } })
  // It never throws: what went wrong is in `error`, and only throwing it rolls the transaction back.
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error !== undefined) {
    const failed = results.find(({ status }) => status === 'Error')
    const what = failed === undefined ? 'the migrations failed' : `migration ${failed.migrationName} failed`
    throw new MigrationError(`${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  return results.map(({ migrationName }) => migrationName)
}

const alreadyExecuted: Migration = { up: async () => {} }

function sqlMigration(path: string): Migration {
  return {
    up: async (db) => {
      // Without parameters pg sends it as one simple query, which may hold many statements.
      await sql.raw(await readFile(path, 'utf8')).execute(db)
    },
  }
}
