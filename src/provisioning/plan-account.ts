import {
  type Account,
  type AccountInput,
  inputOf,
  isSameAddress,
  type ObservedAccount,
} from '../campaign-manager/messages.ts'
import type { DeletionState } from '../db/tables.ts'
import { includesRole } from '../roles/role-name.ts'
import { mayDelete, type RoleTarget, type Standing, sameRoles, targetRoles } from '../roles/role-rule.ts'
import type { AccountFields } from './account-fields.ts'

/** How an account was found: by the id recorded for it, by the external id it carries, or by its e-mail alone. */
export type FoundBy = 'link' | 'external_id' | 'email'

export interface AccountSituation {
  readonly standing: Standing
  readonly active: boolean
  readonly granted: readonly string[]
  /** Roles of the user's groups, as Campaign Manager spells them. */
  readonly wanted: readonly string[]
  /** The roles on the account; none when there is no account. */
  readonly observed: readonly string[]
  /** The placeholder as Campaign Manager spells it. `placed` are those, of former settings say, that we put on the account. */
  readonly placeholder: {
    readonly name: string
    readonly exists: boolean
    readonly placed?: readonly string[]
  }
  /** Undefined once the user is deleted. */
  readonly fields: (Omit<AccountFields, 'email'> & { readonly email: string | undefined }) | undefined
  readonly externalId: string
  readonly found: { readonly by: FoundBy; readonly observed: ObservedAccount } | undefined
  /** What was decided about the account's deletion. */
  readonly deletion: DeletionState | undefined
  /** Whether the account was enabled before its deletion was held; undefined when it never was. */
  readonly enabledBefore: boolean | undefined
}

export interface AccountPolicies {
  readonly protectedRoles: readonly string[]
  readonly existingAccounts: 'link' | 'refuse'
  readonly onDeactivate: 'ignore' | 'suspend'
  readonly onUserDelete: 'delete' | 'release'
}

/** Why nothing can be done for a user until somebody changes something. */
export type BlockReason = 'no_email' | 'placeholder_missing' | 'account_exists' | 'account_linked_elsewhere'

/** An account that exists, and what it should be. */
interface Replacement {
  readonly observed: ObservedAccount
  readonly input: AccountInput
  readonly rule: RoleTarget
  /** The account goes on without us: what it holds is not ours. */
  readonly release: boolean
}

export type AccountPlan =
  /** There is no account of ours, and none should be. */
  | { readonly kind: 'absent' }
  /** The account is as it should be. */
  | ({ readonly kind: 'unchanged' } & Replacement)
  | ({ readonly kind: 'replace' } & Replacement)
  | { readonly kind: 'create'; readonly input: AccountInput; readonly rule: RoleTarget }
  | { readonly kind: 'delete'; readonly observed: ObservedAccount }
  | { readonly kind: 'blocked'; readonly reason: BlockReason; readonly detail: string }

/** What to do about one user's account: from what should be and what was found to one step that makes it so. */
export function planAccount(situation: AccountSituation, policies: AccountPolicies): AccountPlan {
  const { standing, found } = situation
  const leaving = standing === 'deleted' || standing === 'released'
  // Found by e-mail alone, it was never ours: nothing to take away from it.
  if (leaving && (!found || found.by === 'email')) return { kind: 'absent' }
  const rule = targetRoles({
    standing,
    wanted: situation.wanted,
    granted: [...situation.granted, ...(situation.placeholder.placed ?? [])],
    observed: situation.observed,
    placeholder: situation.placeholder.name,
    protectedRoles: policies.protectedRoles,
  })
  if (leaving && found) {
    if (situation.deletion === 'kept') return planKept(situation, found.observed, rule, policies)
    const end = planEnd(standing, found.observed, rule, policies)
    if (end) return end
  }
  const refusal = refusedAccount(situation, policies)
  if (refusal) return refusal
  if (!situation.placeholder.exists && includesRole(rule.roles, situation.placeholder.name)) {
    return {
      kind: 'blocked',
      reason: 'placeholder_missing',
      detail: `no Campaign Manager role is named '${situation.placeholder.name}', which new accounts are to hold`,
    }
  }
  return planPresent(situation, rule, policies)
}

/** Undefined when the account of a released user stays, with the roles that are not ours. */
function planEnd(
  standing: Standing,
  observed: ObservedAccount,
  rule: RoleTarget,
  policies: AccountPolicies,
): AccountPlan | undefined {
  if (rule.roles.length === 0) return { kind: 'delete', observed }
  if (standing !== 'deleted') return undefined
  const deletable = mayDelete(observed.account.roles, policies.protectedRoles)
  if (deletable && policies.onUserDelete === 'delete') return { kind: 'delete', observed }
  // Without our external id: whoever gets that e-mail next is not this person.
  const { externalId: _, ...rest } = inputOf(observed.account)
  return { kind: 'replace', observed, input: { ...rest, roles: [...rule.roles] }, rule, release: true }
}

/** The deletion was called off: the account goes on as it was, with what we granted still ours to take away. */
function planKept(
  situation: AccountSituation,
  observed: ObservedAccount,
  { foreign }: RoleTarget,
  policies: AccountPolicies,
): AccountPlan {
  const rule = { roles: observed.account.roles, wanted: situation.granted, foreign, kept: [] }
  if (situation.fields) return planPresent(situation, rule, policies)
  const enabled = situation.enabledBefore ?? observed.account.enabled
  const input = { ...inputOf(observed.account), enabled }
  const kind = holds(observed.account, input) ? 'unchanged' : 'replace'
  return { kind, observed, input, rule, release: false }
}

function refusedAccount(situation: AccountSituation, policies: AccountPolicies): AccountPlan | undefined {
  if (situation.found?.by !== 'email') return undefined
  if (situation.found.observed.account.externalId) {
    return {
      kind: 'blocked',
      reason: 'account_linked_elsewhere',
      detail: "the Campaign Manager account with the user's e-mail address is linked to another user",
    }
  }
  if (policies.existingAccounts === 'link') return undefined
  return {
    kind: 'blocked',
    reason: 'account_exists',
    detail:
      "Campaign Manager already has an account with the user's e-mail address (EXISTING_ACCOUNTS=refuse)",
  }
}

function planPresent(situation: AccountSituation, rule: RoleTarget, policies: AccountPolicies): AccountPlan {
  const { fields, found } = situation
  // A linked account whose user has lost the address keeps the one it has, so that its roles can follow.
  const email = fields?.email ?? found?.observed.account.email
  if (email === undefined) {
    return { kind: 'blocked', reason: 'no_email', detail: 'the user has no e-mail address' }
  }
  const input: AccountInput = {
    email,
    ...(fields?.firstName !== undefined && { firstName: fields.firstName }),
    ...(fields?.lastName !== undefined && { lastName: fields.lastName }),
    ...(fields?.displayName !== undefined && { displayName: fields.displayName }),
    externalId: situation.externalId,
    enabled: policies.onDeactivate === 'ignore' || situation.active,
    roles: [...rule.roles],
  }
  if (!found) return { kind: 'create', input, rule }
  const { observed } = found
  const kind = holds(observed.account, input) ? 'unchanged' : 'replace'
  return { kind, observed, input, rule, release: false }
}

/** The fields, roles and enablement aside, that are not as they should be. */
export function editedFields(account: Account, input: AccountInput): string[] {
  const differs = {
    email: !isSameAddress(account.email, input.email),
    firstName: (account.firstName || undefined) !== input.firstName,
    lastName: (account.lastName || undefined) !== input.lastName,
    displayName: (account.displayName || undefined) !== input.displayName,
    externalId: (account.externalId || undefined) !== input.externalId,
  }
  return Object.entries(differs).flatMap(([field, isOther]) => (isOther ? [field] : []))
}

/** Whether an account is as it should be. Roles may stand in any order. */
export const holds = (account: Account, input: AccountInput): boolean =>
  editedFields(account, input).length === 0 &&
  account.enabled === input.enabled &&
  sameRoles(account.roles, input.roles)
