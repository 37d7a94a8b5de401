import { addressOf, type PersonKey, type RolesByPerson } from './flows.ts'

export interface Account {
  readonly roles: readonly string[]
  readonly enabled: boolean
}

/** By address. */
export type Accounts = Readonly<Record<string, Account>>

export interface AccountVerdict {
  readonly address: string
  readonly before: Account | undefined
  readonly after: Account | undefined
  readonly expected: Account | undefined
  readonly right: boolean
}

/**
 * What should be there after a step. It builds on what should have been there before, never on what was: an account
 * that went wrong stays wrong until the service has put it right.
 */
export function expectAccounts(before: Accounts, changes: RolesByPerson): Accounts {
  const after = { ...before }
  for (const [person, roles] of Object.entries(changes) as [PersonKey, readonly string[] | null][]) {
    if (roles === null) delete after[addressOf(person)]
    else after[addressOf(person)] = { roles, enabled: true }
  }
  return after
}

/** Every account that was there, is there or should be, by address. */
export function compareAccounts(before: Accounts, after: Accounts, expected: Accounts): AccountVerdict[] {
  const addresses = new Set([before, after, expected].flatMap((accounts) => Object.keys(accounts)))
  return [...addresses].sort().map((address) => ({
    address,
    before: before[address],
    after: after[address],
    expected: expected[address],
    right: same(after[address], expected[address]),
  }))
}

/** In order: a role that comes later is appended. */
export function same(one: Account | undefined, other: Account | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return (
    one.enabled === other.enabled &&
    one.roles.length === other.roles.length &&
    one.roles.every((role, index) => role === other.roles[index])
  )
}

/** What became of an account, in a few words. */
export function describeChange({ before, after }: Pick<AccountVerdict, 'before' | 'after'>): string {
  if (before === undefined) return after === undefined ? '' : 'created'
  if (after === undefined) return 'deleted'
  const words = [
    ...before.roles.filter((role) => !after.roles.includes(role)).map((role) => `-${role}`),
    ...after.roles.filter((role) => !before.roles.includes(role)).map((role) => `+${role}`),
    ...(before.enabled === after.enabled ? [] : [after.enabled ? 'enabled' : 'disabled']),
  ]
  if (words.length > 0) return words.join(' ')
  return same(before, after) ? '' : 'roles in another order'
}
