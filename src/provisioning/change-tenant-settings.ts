import type { Kysely } from 'kysely'
import { OPERATOR } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import {
  lockTenantSettings,
  lockTenantUsers,
  type OwnPolicies,
  saveTenantSettings,
  type TenantSettings,
} from '../directory/tenant-settings.ts'
import { markDirty } from '../reconcile/mark-users.ts'

export type SettingsChange =
  | { readonly kind: 'changed'; readonly marked: number }
  | { readonly kind: 'unchanged' }
  /** Accounts that would stay where they are, with the access they give. */
  | { readonly kind: 'linked'; readonly accounts: number }

/** What a change of the settings makes of them. Throws when they cannot be changed so. */
export type ChangeSettings = (current: TenantSettings) => Pick<TenantSettings, 'campaignManager' | 'policies'>

/**
 * Changes a tenant's settings and has its users reconciled by them, in one transaction. From then on no attempt that went
 * by the settings before begins a write or records anything; its users are marked, so it is made anew. Undefined when there
 * is no such tenant.
 */
export async function changeTenantSettings(
  db: Kysely<Database>,
  tenantId: number,
  change: ChangeSettings,
): Promise<SettingsChange | undefined> {
  return inTransaction(db, async (trx) => {
    const current = await lockTenantSettings(trx, tenantId)
    if (!current) return undefined
    const next = change(current)
    const isMoved = next.campaignManager?.url !== current.campaignManager?.url
    const changed = changedPolicies(current.policies, next.policies)
    const isOtherKey = next.campaignManager?.sealedKey !== current.campaignManager?.sealedKey
    if (!isMoved && changed.size === 0 && !isOtherKey) return { kind: 'unchanged' }
    // Every attempt that records something locks its account first, and reads the version of the settings after that.
    const users = await lockTenantUsers(trx, tenantId)
    if (isMoved && users.linked > 0) return { kind: 'linked', accounts: users.linked }
    await saveTenantSettings(trx, tenantId, next)
    recordAudit(trx, tenantId, OPERATOR, {
      operation: 'tenant.change',
      resourceType: 'Tenant',
      resourceId: String(tenantId),
      attributes: [
        ...changed,
        ...(isMoved ? ['campaignManagerUrl'] : []),
        ...(isOtherKey ? ['campaignManagerKey'] : []),
      ],
    })
    if (!isMoved && !concernsAccounts(changed)) return { kind: 'changed', marked: 0 }
    const losing = [
      ...(changed.has('onDeactivate') ? users.inactive : []),
      ...(changed.has('placeholderRole') ? users.withPlaceholder : []),
    ]
    await markDirty(trx, tenantId, users.userIds, losing)
    return { kind: 'changed', marked: users.userIds.length }
  })
}

function changedPolicies(before: OwnPolicies, after: OwnPolicies): Set<keyof OwnPolicies> {
  const names = Object.keys(after) as (keyof OwnPolicies)[]
  return new Set(names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])))
}

/** Whether a group's name is accepted is asked when it is set, and of no account. */
const concernsAccounts = (changed: ReadonlySet<keyof OwnPolicies>): boolean =>
  [...changed].some((name) => name !== 'unknownRole')
