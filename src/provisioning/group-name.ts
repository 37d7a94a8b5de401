import type { RoleCatalog } from '../campaign-manager/role-catalog.ts'
import { includesRole, matchRole, sameRole } from '../roles/role-name.ts'
import { invalidValue } from '../scim/error.ts'

export interface GroupNamePolicy {
  readonly roleCatalog: RoleCatalog
  readonly placeholderRole: string
  readonly protectedRoles: readonly string[]
  readonly unknownRole: 'reject' | 'hold'
  /** Resolves after a time that Entra's request may be kept waiting for the role list. */
  readonly patience: () => Promise<void>
  readonly log: { warn(fields: object, message: string): void }
}

/**
 * Refuses a group's name that can stand for no role. While Campaign Manager cannot be asked the group is accepted, and
 * its members wait for the role.
 */
export async function checkGroupName(policy: GroupNamePolicy, displayName: string): Promise<void> {
  if (includesRole(policy.protectedRoles, displayName)) {
    throw invalidValue(`the role '${displayName}' is protected and cannot be given through a group`)
  }
  if (sameRole(policy.placeholderRole, displayName)) {
    throw invalidValue(`'${displayName}' is the placeholder role and cannot be given through a group`)
  }
  if (policy.unknownRole === 'hold' || (await hasRole(policy, displayName))) return
  throw invalidValue(`no Campaign Manager role is named '${displayName}'; create it, or rename the group`)
}

async function hasRole(
  { roleCatalog, patience, log }: GroupNamePolicy,
  displayName: string,
): Promise<boolean> {
  const cached = roleCatalog.peek()
  if (cached && matchRole(displayName, cached) !== undefined) return true
  // The role may have been created since the list was cached, so it is read anew before a group is refused.
  roleCatalog.invalidate()
  try {
    const roles = await Promise.race([roleCatalog.get(), patience()])
    if (roles !== undefined) return matchRole(displayName, roles) !== undefined
    log.warn({ displayName }, 'the role list did not arrive in time; group accepted and held')
  } catch (error) {
    log.warn({ err: error, displayName }, 'the role list cannot be read; group accepted and held')
  }
  return true
}
