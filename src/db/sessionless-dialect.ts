import { type Kysely, PostgresAdapter, PostgresDialect, sql } from 'kysely'

const MIGRATION_LOCK = '5279184364177405'

/** Waits until no other transaction migrates this database, and holds that until this one ends. */
export async function lockMigrations<DB>(trx: Kysely<DB>): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)}::bigint)`.execute(trx)
}

/** Kysely's Postgres, but for its migration lock: that belongs to the session, which PgBouncer changes at every transaction. */
export class SessionlessDialect extends PostgresDialect {
  override createAdapter() {
    return new SessionlessAdapter()
  }
}

class SessionlessAdapter extends PostgresAdapter {
  // biome-ignore lint/suspicious/noExplicitAny: the base class says so
  override acquireMigrationLock(db: Kysely<any>): Promise<void> {
    return lockMigrations(db)
  }

  /** The end of the transaction releases it. */
  override async releaseMigrationLock(): Promise<void> {}
}
