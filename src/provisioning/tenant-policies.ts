import type { OwnPolicies } from '../directory/tenant-settings.ts'
import type { AccountPolicies } from './plan-account.ts'

/** How the groups and accounts of one tenant are dealt with. */
export interface TenantPolicies extends AccountPolicies {
  readonly placeholderRole: string
  readonly unknownRole: 'reject' | 'hold'
}

/** A tenant's policies: its own, and otherwise the process's. */
export const effectivePolicies = (own: OwnPolicies, settings: TenantPolicies): TenantPolicies => ({
  placeholderRole: own.placeholderRole ?? settings.placeholderRole,
  protectedRoles: own.protectedRoles ?? settings.protectedRoles,
  unknownRole: own.unknownRole ?? settings.unknownRole,
  existingAccounts: own.existingAccounts ?? settings.existingAccounts,
  onDeactivate: own.onDeactivate ?? settings.onDeactivate,
  onUserDelete: own.onUserDelete ?? settings.onUserDelete,
})
