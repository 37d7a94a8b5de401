import type { Account } from '../campaign-manager/messages.ts'
import type { MissingAccount, StrayAccount } from '../directory/inventory.ts'
import type { DriftKind } from '../reconcile/drift-finding.ts'
import { type AccountPlan, editedFields } from './plan-account.ts'

export interface Drift {
  readonly kind: DriftKind
  /** Names roles and fields, never their e-mail addresses. */
  readonly detail: string
  /** Whether somebody has access who should not. */
  readonly removal: boolean
}

/**
 * How an account of the inventory differs from what a reconciliation would make of it. Roles that somebody else gave it are
 * no difference: the plan keeps them.
 *
 * @param held the names of the user's groups for which Campaign Manager has no role any more
 */
export function driftOfAccount(account: Account, plan: AccountPlan, held: readonly string[]): Drift[] {
  switch (plan.kind) {
    case 'unchanged':
      return missingRoles(held)
    case 'replace': {
      const { input } = plan
      return [
        ...missingRoles([...input.roles.filter((role) => !account.roles.includes(role)), ...held]),
        ...extraRoles(account.roles.filter((role) => !input.roles.includes(role))),
        ...wrongEnablement(account.enabled, input.enabled),
        ...edits(editedFields(account, input)),
      ]
    }
    case 'delete':
      return extraRoles(account.roles)
    case 'blocked':
      return [{ kind: 'roles_missing', detail: plan.detail, removal: false }]
    default:
      return []
  }
}

const missingRoles = (roles: readonly string[]): Drift[] =>
  roles.length === 0
    ? []
    : [{ kind: 'roles_missing', detail: `without ${quoted(unique(roles))}`, removal: false }]

const extraRoles = (roles: readonly string[]): Drift[] =>
  roles.length === 0 ? [] : [{ kind: 'roles_extra', detail: `with ${quoted(roles)}`, removal: true }]

const wrongEnablement = (is: boolean, should: boolean): Drift[] =>
  is === should
    ? []
    : [
        {
          kind: 'disabled',
          detail: should ? 'disabled, and should be enabled' : 'enabled, and should be disabled',
          removal: is,
        },
      ]

const edits = (fields: readonly string[]): Drift[] =>
  fields.length === 0 ? [] : [{ kind: 'edited', detail: `other ${fields.join(', ')}`, removal: false }]

/** The account of a user, or the one that the user should have, is not in an inventory that was read to its end. */
export const driftOfMissing = ({ accountId }: MissingAccount): Drift => ({
  kind: 'account_missing',
  detail: accountId === undefined ? 'the user has no account' : 'the account is not in the inventory',
  removal: false,
})

/**
 * What is wrong with an account that carries an external id and is no user's here. Undefined while its user has work under
 * way, and when it is the account that its user is missing: a reconciliation finds it.
 */
export function driftOfStray({ carriers, holders }: StrayAccount): Drift | undefined {
  if (holders.some(({ busy }) => busy)) return undefined
  const stray = (kind: 'orphan' | 'duplicate', detail: string): Drift => ({ kind, detail, removal: false })
  if (holders.some(({ linked }) => linked)) {
    return stray('duplicate', 'carries the external id of a user who has another account')
  }
  if (carriers > 1) return stray('duplicate', `${carriers} accounts carry its external id`)
  if (holders.length === 0) return stray('orphan', 'no user has its external id')
  const leaving = holders.every(({ standing }) => standing === 'released' || standing === 'deleted')
  return leaving ? stray('orphan', 'the user with its external id is to have no account') : undefined
}

const quoted = (roles: readonly string[]): string => roles.map((role) => `'${role}'`).join(', ')

const unique = (roles: readonly string[]): string[] => [...new Set(roles)]
