import { rememberPerson } from '../audit/person.ts'
import { recordAudit } from '../audit/record.ts'
import { inTransaction } from '../db/transaction.ts'
import { awaitAgain, lockAccounts } from '../directory/accounts.ts'
import { groupIdsOf } from '../directory/members.ts'
import { isResourceId, type StoredResource } from '../directory/stored-resource.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import type { Resource } from '../scim/attribute.ts'
import { keepImmutable } from '../scim/immutable.ts'
import { applyPatch, parsePatch } from '../scim/patch.ts'
import { equalResources, keepUndeclared, readResource } from '../scim/resource.ts'
import { accountExternalId, accountFields } from './account-fields.ts'
import { changedNames } from './changed-names.ts'
import type { Caller, ProvisioningContext } from './context.ts'
import { rejectTakenUserName } from './create-user.ts'
import { requireFound, requireMatch } from './preconditions.ts'

/**
 * PUT /Users/{id} (RFC 7644 §3.5.1). What the body leaves out is cleared, `active` aside: leaving it out must not
 * reactivate anybody.
 */
export async function replaceUser(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  body: unknown,
  ifMatch: string | undefined,
): Promise<StoredResource> {
  const replacement = readResource(context.users.type, body)
  return changeUser(context, caller, id, ifMatch, (current) =>
    keepUndeclared(
      context.users.type,
      current,
      keepImmutable(context.users.type, current, { active: current.active !== false, ...replacement }),
    ),
  )
}

/** PATCH /Users/{id} (RFC 7644 §3.5.2). Clearing `active` leaves it as it is, for the same reason. */
export async function patchUser(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  body: unknown,
  ifMatch: string | undefined,
): Promise<StoredResource> {
  const operations = parsePatch(context.users.type, body)
  return changeUser(context, caller, id, ifMatch, (current) => ({
    active: current.active !== false,
    ...applyPatch(context.users.type, current, operations),
  }))
}

async function changeUser(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  ifMatch: string | undefined,
  change: (current: Resource) => Resource,
): Promise<StoredResource> {
  const { tenantId } = caller
  const result = await inTransaction(context.db, async (trx) => {
    if (isResourceId(id)) await lockAccounts(trx, tenantId, [id])
    const current = requireFound('User', id, await context.users.find(trx, tenantId, id))
    requireMatch(ifMatch, current)
    const next = change(current.attributes)
    if (equalResources(current.attributes, next)) return { user: current, dirty: false, keepsAccess: false }
    const user = await context.users.update(trx, tenantId, id, next)
    if (current.attributes.userName !== next.userName) {
      await rememberPerson(trx, tenantId, id, String(next.userName))
    }
    recordAudit(trx, tenantId, caller, {
      operation: 'user.change',
      resourceType: 'User',
      resourceId: id,
      attributes: changedNames(context.users.type, current.attributes, next),
      detail: isActive(current.attributes) === isActive(next) ? {} : { active: isActive(next) },
    })
    const deactivated = isActive(current.attributes) && !isActive(next)
    const keepsAccess = deactivated && (await groupIdsOf(trx, tenantId, id)).length > 0
    if (!isActive(current.attributes) && isActive(next)) await awaitAgain(trx, tenantId, id)
    const dirty = concernsAccount(id, current.attributes, next)
    if (dirty) await markDirty(trx, tenantId, [id], deactivated ? [id] : [])
    return { user, dirty, keepsAccess }
  }).catch(rejectTakenUserName)
  if (result.keepsAccess) {
    context.log.warn({ tenantId, userId: id }, 'user deactivated while still in groups')
  }
  if (result.dirty) context.onDirty()
  return result.user
}

const isActive = (user: Resource): boolean => user.active !== false

/** Whether a change of the user is one that the account must follow. */
function concernsAccount(id: string, before: Resource, after: Resource): boolean {
  const relevant = (user: Resource) => [accountFields(user), accountExternalId(user, id), isActive(user)]
  return JSON.stringify(relevant(before)) !== JSON.stringify(relevant(after))
}
