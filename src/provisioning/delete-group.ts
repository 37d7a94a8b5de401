import { inTransaction } from '../db/transaction.ts'
import { lockAccounts, refreshStanding } from '../directory/accounts.ts'
import { memberIds } from '../directory/members.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import type { ProvisioningContext } from './context.ts'
import { requireFound, requireMatch } from './preconditions.ts'

/** DELETE /Groups/{id} (RFC 7644 §3.6): its role leaves everybody who was in it. */
export async function deleteGroup(
  context: ProvisioningContext,
  tenantId: number,
  id: string,
  ifMatch: string | undefined,
): Promise<void> {
  await inTransaction(context.db, async (trx) => {
    requireMatch(ifMatch, requireFound('Group', id, await context.groups.lock(trx, tenantId, id)))
    const members = await memberIds(trx, tenantId, id)
    await lockAccounts(trx, tenantId, members)
    await context.groups.delete(trx, tenantId, id)
    await refreshStanding(trx, tenantId, members)
    await markDirty(trx, tenantId, members, members)
  })
  context.onDirty()
}
