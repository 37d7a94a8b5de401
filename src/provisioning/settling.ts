import type { Kysely } from 'kysely'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import type { AccountWrite } from './delivery-audit.ts'
import { recordFailed } from './delivery-record.ts'

/** Campaign Manager answered, and not with what was asked for. */
export const isAnswered = (error: unknown): error is CampaignManagerError =>
  error instanceof CampaignManagerError && !['timeout', 'network', 'malformed'].includes(error.code)

/**
 * Makes a write, and has the audit trail tell of its failure. When Campaign Manager itself refuses it, it will not take effect
 * later, and nothing is pending any more, unless an older write is. A failure of the server is no refusal: the write may have
 * been carried out all the same.
 */
export async function settling<T>(
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  write: AccountWrite,
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send()
  } catch (error) {
    if (!(error instanceof CampaignManagerError)) throw error
    const isOldest = record.writePendingSeconds === undefined
    // An account that was not to be seen may be there: the one linked before, or one that the address belongs to.
    const mayBeThere =
      write.operation === 'account.create' &&
      (record.campaignManagerId !== undefined || error.code === 'user_exists')
    await recordFailed(db, claim, record, write, {
      result: error.mayHaveApplied ? 'unknown' : 'failed',
      reason: error.code,
      settles: isAnswered(error) && !error.mayHaveApplied && isOldest && !mayBeThere,
    })
    throw error
  }
}
