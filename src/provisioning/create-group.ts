import { randomUUID } from 'node:crypto'
import { uniqueViolation } from '../db/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import type { StoredResource } from '../directory/stored-resource.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import { uniqueness } from '../scim/error.ts'
import type { ProvisioningContext } from './context.ts'
import { changeMembers } from './membership.ts'
import { readGroup } from './read-group.ts'

/** POST /Groups (RFC 7644 §3.3). */
export async function createGroup(
  context: ProvisioningContext,
  tenantId: number,
  body: unknown,
  id: string = randomUUID(),
): Promise<StoredResource> {
  const { attributes, displayName, members } = readGroup(context.groups.type, body)
  await context.checkGroupName(displayName)
  const { group, joined } = await inTransaction(context.db, async (trx) => {
    const inserted = await context.groups.insert(trx, tenantId, id, attributes)
    const { joined } = await changeMembers(trx, tenantId, id, [{ kind: 'add', values: members }])
    await markDirty(trx, tenantId, joined)
    return { group: inserted, joined: joined.length }
  }).catch(rejectTakenDisplayName)
  if (joined > 0) context.onDirty()
  return group
}

export function rejectTakenDisplayName(error: unknown): never {
  if (uniqueViolation(error) === 'scim_group_name') {
    throw uniqueness('a group with this displayName already exists')
  }
  throw error
}
