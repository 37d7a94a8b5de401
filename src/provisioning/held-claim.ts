import type { Kysely, Transaction } from 'kysely'
import { uniqueViolation } from '../db/errors.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { type Claim, holdClaim } from '../reconcile/dirty-set.ts'

/** The account that was found is already recorded for another SCIM user, and is never shared. */
export class AccountTakenError extends Error {
  override readonly name = 'AccountTakenError'
}

/** Runs a record's transaction while the claim is this process's, and says whether it was. */
export async function whileHeld(
  db: Kysely<Database>,
  claim: Claim,
  write: (trx: Transaction<Database>) => Promise<void>,
  hold: typeof holdClaim = holdClaim,
): Promise<boolean> {
  return refusingTaken(db, async (trx) => {
    if (!(await hold(trx, claim))) return false
    await write(trx)
    return true
  })
}

/** A link that is another user's already is never recorded. */
export async function refusingTaken<T>(
  db: Kysely<Database>,
  run: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  try {
    return await inTransaction(db, run)
  } catch (error) {
    if (uniqueViolation(error)) throw new AccountTakenError('account already linked', { cause: error })
    throw error
  }
}
