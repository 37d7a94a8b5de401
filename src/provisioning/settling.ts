import type { Kysely } from 'kysely'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import { settleRefused, spendKey } from './delivery-record.ts'

/**
 * Makes a write. When Campaign Manager itself refuses it, it will not take effect later, and nothing is pending any more,
 * unless an older write is. A failure of the server is no refusal: the write may have been carried out all the same, and only
 * the Idempotency-Key is of no more use, because it would bring that failure again.
 */
export async function settling<T>(
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const isAnswered =
      error instanceof CampaignManagerError && !['timeout', 'network', 'malformed'].includes(error.code)
    const isOldest = record.writePendingSeconds === undefined || record.createKey !== undefined
    if (isAnswered && error.mayHaveApplied) await spendKey(db, claim)
    else if (isAnswered && isOldest) await settleRefused(db, claim)
    throw error
  }
}
