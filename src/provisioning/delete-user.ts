import { boundedIds } from '../audit/bounded-ids.ts'
import { recordAudit } from '../audit/record.ts'
import { inTransaction, RetryTransaction } from '../db/transaction.ts'
import { lockAccounts, markDeleted } from '../directory/accounts.ts'
import { groupIdsOf } from '../directory/members.ts'
import { isResourceId } from '../directory/stored-resource.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import type { Caller, ProvisioningContext } from './context.ts'
import { requireFound, requireMatch } from './preconditions.ts'

/** DELETE /Users/{id} (RFC 7644 §3.6). Memberships go with the user, and so the versions of its groups change. */
export async function deleteUser(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  ifMatch: string | undefined,
): Promise<void> {
  const { tenantId } = caller
  await inTransaction(context.db, async (trx) => {
    const groupIds = isResourceId(id) ? await groupIdsOf(trx, tenantId, id) : []
    for (const groupId of groupIds) await context.groups.lock(trx, tenantId, groupId)
    if (isResourceId(id)) await lockAccounts(trx, tenantId, [id])
    requireMatch(ifMatch, requireFound('User', id, await context.users.find(trx, tenantId, id)))
    // Groups are locked before users, so one that the user joined meanwhile could only be locked in the wrong order.
    const joined = (await groupIdsOf(trx, tenantId, id)).filter((groupId) => !groupIds.includes(groupId))
    if (joined.length > 0) throw new RetryTransaction('the user joined a group meanwhile')
    await markDeleted(trx, tenantId, id)
    await context.groups.touch(trx, tenantId, groupIds)
    await context.users.delete(trx, tenantId, id)
    await markDirty(trx, tenantId, [id], [id])
    recordAudit(trx, tenantId, caller, {
      operation: 'user.delete',
      resourceType: 'User',
      resourceId: id,
      detail: groupIds.length === 0 ? {} : { groups: boundedIds(groupIds) },
    })
  })
  context.onDirty()
}
