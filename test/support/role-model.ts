/**
 * The role rule and the life of a user (flows.md) over plain Maps: what Campaign Manager must show, given what was asked for
 * and in which order users were reconciled.
 */
export const PLACEHOLDER = 'Placeholder'

export interface ModelPolicies {
  readonly onDeactivate: 'ignore' | 'suspend'
  readonly onUserDelete: 'delete' | 'release'
}

export interface ModelUser {
  /** Whose place in the test it has; a person who was deleted and created again is another user. */
  readonly person: number
  readonly id: string
  readonly externalId: string
  standing: 'awaiting' | 'assigned' | 'released' | 'deleted'
  active: boolean
  email: string
  name: string
  granted: ReadonlySet<string>
  account: ModelAccount | undefined
  /** Changed since it was reconciled last. */
  changed: boolean
}

export interface ModelAccount {
  email: string
  name: string
  enabled: boolean
  roles: ReadonlySet<string>
  externalId: string | undefined
  owner: ModelUser | undefined
}

export interface ModelGroup {
  readonly id: string
  role: string
  readonly members: Set<ModelUser>
}

export interface Model {
  readonly policies: ModelPolicies
  readonly users: Map<number, ModelUser>
  /** Deleted, and not reconciled since. */
  readonly ghosts: Set<ModelUser>
  readonly groups: Map<number, ModelGroup>
  readonly accounts: Set<ModelAccount>
}

export const emptyModel = (policies: ModelPolicies): Model => ({
  policies,
  users: new Map(),
  ghosts: new Set(),
  groups: new Map(),
  accounts: new Set(),
})

export const wantedRoles = ({ groups }: Model, user: ModelUser): Set<string> =>
  new Set([...groups.values()].filter(({ members }) => members.has(user)).map(({ role }) => role))

export function setMembers(model: Model, group: ModelGroup, members: ReadonlySet<ModelUser>): void {
  for (const user of new Set([...group.members, ...members])) {
    if (members.has(user) === group.members.has(user)) continue
    if (members.has(user)) group.members.add(user)
    else group.members.delete(user)
    const isMember = [...model.groups.values()].some((each) => each.members.has(user))
    if (isMember) user.standing = 'assigned'
    else if (user.standing === 'assigned') user.standing = 'released'
    user.changed = true
  }
}

export function removeGroup(model: Model, place: number, group: ModelGroup): void {
  setMembers(model, group, new Set())
  model.groups.delete(place)
}

export function renameGroup(group: ModelGroup, role: string): void {
  if (group.role === role) return
  group.role = role
  for (const user of group.members) user.changed = true
}

export function setActive(user: ModelUser, active: boolean): void {
  if (!user.active && active && user.standing === 'released') user.standing = 'awaiting'
  if (user.active !== active) user.changed = true
  user.active = active
}

export function deleteUser(model: Model, user: ModelUser): void {
  for (const group of model.groups.values()) group.members.delete(user)
  user.standing = 'deleted'
  user.changed = true
  model.users.delete(user.person)
  model.ghosts.add(user)
}

/** False: the account at the user's address is another user's, so the user must wait. */
export function reconcile(model: Model, user: ModelUser): boolean {
  const leaves = user.standing === 'released' || user.standing === 'deleted'
  if (!user.account && !leaves) {
    const present = [...model.accounts].find(({ email }) => email === user.email)
    if (present?.owner) return false
    if (present) link(present, user)
  }
  const wanted = wantedRoles(model, user)
  const observed = [...(user.account?.roles ?? [])]
  const foreign = observed.filter((role) => !user.granted.has(role) && role !== PLACEHOLDER)
  const target = new Set([...foreign, ...wanted])
  if (target.size === 0 && user.standing === 'awaiting') target.add(PLACEHOLDER)
  user.granted = wanted
  user.changed = false
  if (user.standing === 'deleted') {
    model.ghosts.delete(user)
    if (target.size > 0 && model.policies.onUserDelete === 'release') letGo(user, target)
    else removeAccount(model, user.account)
  } else if (target.size === 0) removeAccount(model, user.account)
  else write(model, user, target)
  return true
}

function link(account: ModelAccount, user: ModelUser): void {
  account.owner = user
  user.account = account
}

function letGo({ account }: ModelUser, roles: ReadonlySet<string>): void {
  if (account) Object.assign(account, { owner: undefined, externalId: undefined, roles })
}

function write(model: Model, user: ModelUser, roles: ReadonlySet<string>): void {
  const { email, name, externalId } = user
  const enabled = model.policies.onDeactivate === 'ignore' || user.active
  if (user.account) Object.assign(user.account, { email, name, externalId, enabled, roles })
  else link({ email, name, externalId, enabled, roles, owner: undefined }, user)
  if (user.account) model.accounts.add(user.account)
}

/** By us or by hand. */
export function removeAccount(model: Model, account: ModelAccount | undefined): void {
  if (!account) return
  model.accounts.delete(account)
  if (account.owner) account.owner.account = undefined
}
