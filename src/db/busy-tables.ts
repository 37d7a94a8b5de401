import { sql, type Transaction } from 'kysely'

/** What requests and reconciliations change, in the order in which most of them come to it. */
const BUSY_TABLES = ['scim_group', 'account', 'scim_user', 'group_member', 'dirty_user', 'tenant']

/**
 * For all of them together. Less than the second after which Postgres looks for deadlocks, so that where a migration and a
 * request wait for each other it is the migration that gives way.
 */
const PATIENCE_MS = 700

/**
 * Takes the tables from everybody else until the transaction ends, before anything is changed: migrations come to them in
 * orders of their own, and each would soon wait for a request that waits for it. Fails with lock_not_available.
 */
export async function lockBusyTables<DB>(trx: Transaction<DB>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select name from unnest(${BUSY_TABLES}::text[]) with ordinality as busy (name, place)
    where to_regclass(name) is not null order by place`.execute(trx)
  const end = performance.now() + PATIENCE_MS
  for (const { name } of rows) {
    await sql`set local lock_timeout = ${sql.lit(Math.max(1, Math.ceil(end - performance.now())))}`.execute(
      trx,
    )
    await sql`lock table ${sql.table(name)} in access exclusive mode`.execute(trx)
  }
  await sql`set local lock_timeout = ${sql.lit(PATIENCE_MS)}`.execute(trx)
}
