import { CampaignManagerError } from '../campaign-manager/errors.ts'
import type { RoleCatalog } from '../campaign-manager/role-catalog.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import { matchRole } from '../roles/role-name.ts'
import { attemptFailed } from './attempt-failure.ts'

export interface ResolvedRoles {
  /** Roles of the user's groups, as Campaign Manager spells them, in order of joining. */
  readonly wanted: readonly string[]
  /** The roles on the account that Campaign Manager knows. */
  readonly observed: readonly string[]
  readonly placeholder: { readonly name: string; readonly exists: boolean }
  /** Names of groups for which there is no role. */
  readonly held: readonly string[]
  /** What keeps the user waiting once everything else is done: a group without a role, or a list that cannot be read. */
  readonly remainder: Attempt | undefined
}

export interface RoleLookup {
  /** How old a list may be that lacks a role; an older one is read anew. */
  readonly recentMs: number
  /** Campaign Manager has just refused a role: only what the list names counts. */
  readonly listOnly: boolean
}

/**
 * Finds the roles that the user's groups stand for. A role that we gave and that the account still shows needs no looking
 * up, so neither a failing nor an incomplete list can take it away or delay the removal of another.
 *
 * @param observed the roles on the account; undefined when there is none
 */
export async function resolveRoles(
  context: { readonly roleCatalog: Pick<RoleCatalog, 'get'>; readonly placeholderRole: string },
  record: Pick<AccountRecord, 'standing' | 'granted' | 'groupNames'>,
  observed: readonly string[] | undefined,
  { recentMs, listOnly }: RoleLookup,
): Promise<ResolvedRoles> {
  const shown = observed ?? []
  const known = listOnly ? [] : record.granted.filter((role) => shown.includes(role))
  const placeholder = context.placeholderRole
  const needsPlaceholder = record.standing === 'awaiting' && !shown.includes(placeholder)
  const needsList = listOnly || record.groupNames.some((name) => !known.includes(name)) || needsPlaceholder
  const isMissing = (roles: readonly string[]) =>
    (needsPlaceholder && matchRole(placeholder, roles) === undefined) ||
    matchGroups(record.groupNames, known, roles).held.length > 0
  const list = needsList
    ? await readList(context.roleCatalog, observed !== undefined, recentMs, isMissing)
    : undefined
  const roles = list?.roles
  const { wanted, held } = matchGroups(record.groupNames, known, roles ?? [])
  const placeholderName = matchRole(placeholder, roles ?? shown)
  return {
    wanted,
    observed: listOnly && roles ? shown.filter((role) => roles.includes(role)) : shown,
    placeholder: {
      name: placeholderName ?? placeholder,
      exists: roles === undefined || placeholderName !== undefined,
    },
    held,
    remainder: list?.failure ?? (held.length > 0 ? heldAttempt(held) : undefined),
  }
}

function matchGroups(groupNames: readonly string[], known: readonly string[], roles: readonly string[]) {
  const wanted: string[] = []
  const held: string[] = []
  for (const name of groupNames) {
    const role = known.includes(name) ? name : (matchRole(name, roles) ?? matchRole(name, known))
    if (role === undefined) held.push(name)
    else wanted.push(role)
  }
  return { wanted, held }
}

/** Without an account nothing can be done before the list is read; with one, removals can. */
async function readList(
  roleCatalog: Pick<RoleCatalog, 'get'>,
  hasAccount: boolean,
  recentMs: number,
  isMissing: (roles: readonly string[]) => boolean,
): Promise<{ roles?: readonly string[]; failure?: Attempt }> {
  try {
    const roles = await roleCatalog.get()
    return { roles: isMissing(roles) ? await roleCatalog.get(recentMs) : roles }
  } catch (error) {
    if (!hasAccount || !(error instanceof CampaignManagerError)) throw error
    return { failure: attemptFailed(error) }
  }
}

const heldAttempt = (held: readonly string[]): Attempt => ({
  kind: 'waiting',
  reason: 'role_unknown',
  detail: `no Campaign Manager role is named ${held.map((name) => `'${name}'`).join(', ')}`,
})
