import { includesRole, sameRole } from './role-name.ts'

/**
 * `awaiting`: never in a group since creation or reactivation. `assigned`: in at least one. `released`: lost the last
 * one. `deleted`: the SCIM user is gone.
 */
export type Standing = 'awaiting' | 'assigned' | 'released' | 'deleted'

export interface RoleSituation {
  readonly standing: Standing
  /** Roles of the groups the user is in, as Campaign Manager spells them, in order of joining. */
  readonly wanted: readonly string[]
  /** Roles this service put, or may have put, on the account. */
  readonly granted: readonly string[]
  /** Roles that Campaign Manager shows now; empty when there is no account. */
  readonly observed: readonly string[]
  readonly placeholder: string
  /** Never granted, never removed. */
  readonly protectedRoles: readonly string[]
}

export interface RoleTarget {
  /** What the account should hold; empty means that no account should exist. */
  readonly roles: readonly string[]
  /** The wanted roles that may be granted. */
  readonly wanted: readonly string[]
  /** Roles found on the account that this service never granted. */
  readonly foreign: readonly string[]
  /** Roles of ours that stay because they are protected now, and go once they are no more. */
  readonly kept: readonly string[]
}

/**
 * The role rule: a three-way merge of what is wanted, what was granted and what is observed.
 *
 * An `assigned` user always keeps an account. Where no wanted role can be granted yet, because Campaign Manager has no
 * role of the group's name, the account holds the placeholder: keeping a role that no group names would be wrong, and
 * deleting the account of somebody who is in a group would be too.
 */
export function targetRoles(situation: RoleSituation): RoleTarget {
  const { standing, granted, observed, placeholder, protectedRoles } = situation
  const isProtected = (role: string): boolean => includesRole(protectedRoles, role)
  // A group of the placeholder's name grants nothing, or the placeholder would stand beside another role.
  const wanted = unique(situation.wanted.filter((role) => !isProtected(role) && !sameRole(role, placeholder)))
  const ours = [...granted.filter((role) => !isProtected(role)), placeholder]
  const foreign = unique(observed.filter((role) => !isOneOf(role, ours, observed)))
  const roles = unique([...foreign, ...wanted])
  const kept = unique(granted.filter((role) => isProtected(role) && observed.includes(role)))
  // What was foreign and is wanted now becomes ours.
  const rule = { wanted, kept, foreign: foreign.filter((role) => ![...wanted, ...kept].includes(role)) }
  if (roles.length > 0) return { ...rule, roles }
  const keepsAccount = standing === 'awaiting' || standing === 'assigned'
  return { ...rule, roles: keepsAccount ? [placeholder] : [] }
}

/**
 * Roles may differ in case alone, so ours is the one of our spelling; only where that is gone, one of another spelling is
 * the same role renamed.
 */
const isOneOf = (role: string, ours: readonly string[], observed: readonly string[]): boolean =>
  ours.includes(role) || ours.some((own) => sameRole(own, role) && !observed.includes(own))

/** What `granted` becomes before a write: a crash between write and record must not turn our role into a foreign one. */
export const grantIntent = (granted: readonly string[], wanted: readonly string[]): string[] =>
  unique([...granted, ...wanted])

/** The placeholder, as far as the target puts it on the account: what is there for no other reason. */
export const placedRoles = ({ roles, wanted, foreign, kept }: RoleTarget): string[] =>
  roles.filter((role) => ![...wanted, ...foreign, ...kept].includes(role))

/** Whether an account holding these roles may be deleted. */
export const mayDelete = (observed: readonly string[], protectedRoles: readonly string[]): boolean =>
  !observed.some((role) => includesRole(protectedRoles, role))

/** The order of roles carries no access: the same set in another order is no reason to write. */
export function sameRoles(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a)
  return left.size === new Set(b).size && b.every((role) => left.has(role))
}

const unique = (roles: readonly string[]): string[] => [...new Set(roles)]
