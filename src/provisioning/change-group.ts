import { recordAudit } from '../audit/record.ts'
import { inTransaction } from '../db/transaction.ts'
import { memberIds } from '../directory/members.ts'
import type { StoredResource } from '../directory/stored-resource.ts'
import { markDirty } from '../reconcile/mark-users.ts'
import type { Resource } from '../scim/attribute.ts'
import { keepImmutable } from '../scim/immutable.ts'
import { type MemberChange, splitMemberOperations } from '../scim/members.ts'
import { applyPatch, parsePatch } from '../scim/patch.ts'
import { equalResources, keepUndeclared } from '../scim/resource.ts'
import { changedNames } from './changed-names.ts'
import type { Caller, ProvisioningContext } from './context.ts'
import { rejectTakenDisplayName, roleName } from './create-group.ts'
import { changeMembers } from './membership.ts'
import { requireFound, requireMatch } from './preconditions.ts'
import { readGroup } from './read-group.ts'

/** PUT /Groups/{id} (RFC 7644 §3.5.1). Members become those of the body: the difference is applied, nobody leaves in between. */
export async function replaceGroup(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  body: unknown,
  ifMatch: string | undefined,
): Promise<StoredResource> {
  const { attributes, members } = readGroup(context.groups.type, body)
  const { type } = context.groups
  const replace = (current: Resource) =>
    keepUndeclared(type, current, keepImmutable(type, current, attributes))
  return changeGroup(context, caller, id, ifMatch, replace, [{ kind: 'replace', values: members }])
}

/** PATCH /Groups/{id} (RFC 7644 §3.5.2). */
export async function patchGroup(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  body: unknown,
  ifMatch: string | undefined,
): Promise<StoredResource> {
  const { attributes, members } = splitMemberOperations(parsePatch(context.groups.type, body))
  return changeGroup(
    context,
    caller,
    id,
    ifMatch,
    (current) => applyPatch(context.groups.type, current, attributes),
    members,
  )
}

async function changeGroup(
  context: ProvisioningContext,
  caller: Caller,
  id: string,
  ifMatch: string | undefined,
  change: (current: Resource) => Resource,
  memberChanges: readonly MemberChange[],
): Promise<StoredResource> {
  const { tenantId } = caller
  await checkNewName(context, tenantId, id, change)
  const { group, dirty } = await inTransaction(context.db, async (trx) => {
    const current = requireFound('Group', id, await context.groups.lock(trx, tenantId, id))
    requireMatch(ifMatch, current)
    const next = change(current.attributes)
    const { joined, left } = await changeMembers(trx, tenantId, id, memberChanges)
    const changed = [...joined, ...left]
    const renamed = next.displayName !== current.attributes.displayName
    const members = renamed ? await memberIds(trx, tenantId, id) : []
    const losing = [...left, ...members]
    const affected = [...new Set([...changed, ...losing])]
    await markDirty(trx, tenantId, affected, losing)
    const hasNewAttributes = !equalResources(current.attributes, next)
    if (hasNewAttributes || changed.length > 0) {
      recordAudit(trx, tenantId, caller, {
        operation: 'group.change',
        resourceType: 'Group',
        resourceId: id,
        attributes: [
          ...changedNames(context.groups.type, current.attributes, next),
          ...(changed.length > 0 ? ['members'] : []),
        ],
        detail: {
          role: roleName(next.displayName),
          ...(renamed && { formerRole: roleName(current.attributes.displayName) }),
        },
        subjects: { joined, left, concerned: members },
      })
    }
    if (hasNewAttributes) {
      return { group: await context.groups.update(trx, tenantId, id, next), dirty: affected.length > 0 }
    }
    if (changed.length === 0) return { group: current, dirty: false }
    await context.groups.touch(trx, tenantId, [id])
    return { group: requireFound('Group', id, await context.groups.find(trx, tenantId, id)), dirty: true }
  }).catch(rejectTakenDisplayName)
  if (dirty) context.onDirty()
  return group
}

/** Before the transaction, because it may ask Campaign Manager. What it finds stays true: a name is set, not derived. */
async function checkNewName(
  context: ProvisioningContext,
  tenantId: number,
  id: string,
  change: (current: Resource) => Resource,
): Promise<void> {
  const current = requireFound('Group', id, await context.groups.find(context.db, tenantId, id))
  const { displayName } = change(current.attributes)
  if (displayName !== current.attributes.displayName) {
    await context.checkGroupName(tenantId, String(displayName))
  }
}
