import { randomUUID } from 'node:crypto'
import { rememberPerson } from '../audit/person.ts'
import { recordAudit } from '../audit/record.ts'
import { uniqueViolation } from '../db/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import { insertAccount } from '../directory/accounts.ts'
import type { StoredResource } from '../directory/stored-resource.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import { uniqueness } from '../scim/error.ts'
import { readResource } from '../scim/resource.ts'
import { assignedNames } from './changed-names.ts'
import type { Caller, ProvisioningContext } from './context.ts'

/** POST /Users (RFC 7644 §3.3). */
export async function createUser(
  context: ProvisioningContext,
  caller: Caller,
  body: unknown,
  id: string = randomUUID(),
): Promise<StoredResource> {
  const { tenantId } = caller
  const attributes = { active: true, ...readResource(context.users.type, body) }
  const user = await inTransaction(context.db, async (trx) => {
    await insertAccount(trx, tenantId, id)
    const inserted = await context.users.insert(trx, tenantId, id, attributes)
    await markDirty(trx, tenantId, [id])
    await rememberPerson(trx, tenantId, id, String(inserted.attributes.userName))
    recordAudit(trx, tenantId, caller, {
      operation: 'user.create',
      resourceType: 'User',
      resourceId: id,
      attributes: assignedNames(context.users.type, attributes),
    })
    return inserted
  }).catch(rejectTakenUserName)
  context.onDirty()
  return user
}

export function rejectTakenUserName(error: unknown): never {
  if (uniqueViolation(error) === 'scim_user_name')
    throw uniqueness('a user with this userName already exists')
  throw error
}
