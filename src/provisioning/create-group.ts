import { randomUUID } from 'node:crypto'
import { recordAudit } from '../audit/record.ts'
import { uniqueViolation } from '../db/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import type { StoredResource } from '../directory/stored-resource.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import { uniqueness } from '../scim/error.ts'
import { assignedNames } from './changed-names.ts'
import type { Caller, ProvisioningContext } from './context.ts'
import { changeMembers } from './membership.ts'
import { readGroup } from './read-group.ts'

/** POST /Groups (RFC 7644 §3.3). */
export async function createGroup(
  context: ProvisioningContext,
  caller: Caller,
  body: unknown,
  id: string = randomUUID(),
): Promise<StoredResource> {
  const { tenantId } = caller
  const { attributes, displayName, members } = readGroup(context.groups.type, body)
  await context.checkGroupName(tenantId, displayName)
  const { group, joined } = await inTransaction(context.db, async (trx) => {
    const inserted = await context.groups.insert(trx, tenantId, id, attributes)
    const { joined } = await changeMembers(trx, tenantId, id, [{ kind: 'add', values: members }])
    await markDirty(trx, tenantId, joined)
    recordAudit(trx, tenantId, caller, {
      operation: 'group.create',
      resourceType: 'Group',
      resourceId: id,
      attributes: assignedNames(context.groups.type, attributes),
      detail: { role: roleName(displayName) },
      subjects: { joined },
    })
    return { group: inserted, joined: joined.length }
  }).catch(rejectTakenDisplayName)
  if (joined > 0) context.onDirty()
  return group
}

/** A group's name is that of a role, which is no personal data; nor is it any longer than a role's in an entry. */
export const roleName = (displayName: unknown): string => String(displayName).slice(0, 256)

export function rejectTakenDisplayName(error: unknown): never {
  if (uniqueViolation(error) === 'scim_group_name') {
    throw uniqueness('a group with this displayName already exists')
  }
  throw error
}
