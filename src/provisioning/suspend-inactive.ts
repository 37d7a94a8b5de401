import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { listUnsuspended } from '../directory/accounts.ts'
import { markFound } from '../reconcile/mark-users.ts'

/**
 * Marks the users who were deactivated while nothing was done about that, so that to set ON_DEACTIVATE=suspend is enough. A process
 * with the former setting may still run and take them up; then the next comparison of all accounts finds them.
 *
 * @returns how many
 */
export async function suspendInactive(
  db: Kysely<Database>,
  onDeactivate: 'ignore' | 'suspend',
): Promise<number> {
  const users = (await listUnsuspended(db, onDeactivate)).map((user) => ({ ...user, removal: true }))
  return (await inTransaction(db, (trx) => markFound(trx, users, 'infinity'))).size
}
