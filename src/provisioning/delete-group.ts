import { recordAudit } from '../audit/record.ts'
import { inTransaction } from '../db/transaction.ts'
import { lockAccounts, refreshStanding } from '../directory/accounts.ts'
import { memberIds } from '../directory/members.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import type { Caller, ProvisioningContext } from './context.ts'
import { roleName } from './create-group.ts'
import { requireFound, requireMatch } from './preconditions.ts'

/** DELETE /Groups/{id} (RFC 7644 §3.6): its role leaves everybody who was in it. */
export async function deleteGroup(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  ifMatch: string | undefined,
): Promise<void> {
  const { tenantId } = caller
  await inTransaction(context.db, async (trx) => {
    const group = requireFound('Group', id, await context.groups.lock(trx, tenantId, id))
    requireMatch(ifMatch, group)
    const members = await memberIds(trx, tenantId, id)
    await lockAccounts(trx, tenantId, members)
    await context.groups.delete(trx, tenantId, id)
    await refreshStanding(trx, tenantId, members)
    await markDirty(trx, tenantId, members, members)
    recordAudit(trx, tenantId, caller, {
      operation: 'group.delete',
      resourceType: 'Group',
      resourceId: id,
      detail: { role: roleName(group.attributes.displayName) },
      subjects: { left: members },
    })
  })
  context.onDirty()
}
