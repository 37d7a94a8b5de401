import type { Kysely } from 'kysely'
import { OPERATOR } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { endHold } from '../directory/deletion-holds.ts'
import { hastenNeighbours, markDirty } from '../reconcile/mark-users.ts'
import { ACCOUNT_LINKED_ELSEWHERE } from './delivery-record.ts'

/**
 * Ends the hold on a tenant's deletions: `approved` lets them go ahead, `kept` calls them off and gives access back. Returns
 * of how many accounts that was decided; undefined when nothing is held.
 */
export async function decideDeletions(
  db: Kysely<Database>,
  tenantId: number,
  decision: 'approved' | 'kept',
): Promise<number | undefined> {
  return inTransaction(db, async (trx) => {
    const userIds = await endHold(trx, tenantId, decision)
    if (!userIds) return undefined
    await markDirty(trx, tenantId, userIds, decision === 'approved' ? userIds : [])
    // Among what is kept may be the account that somebody created anew waits for.
    if (decision === 'kept') await hastenNeighbours(trx, [ACCOUNT_LINKED_ELSEWHERE], tenantId)
    recordAudit(trx, tenantId, OPERATOR, {
      operation: decision === 'approved' ? 'deletions.release' : 'deletions.cancel',
      resourceType: 'Tenant',
      resourceId: String(tenantId),
      subjects: { concerned: userIds },
    })
    return userIds.length
  })
}
