import type { User, UserEdit } from './contract.ts'
import type { Faults } from './faults.ts'
import type { Hooks } from './handling.ts'
import type { RequestLog, RequestRecord } from './request-log.ts'
import type { RoleStore } from './roles.ts'
import type { UserStore } from './users.ts'

/**
 * The sandbox from inside its process. Edits keep the contract's rules (a Refusal is thrown) and give the account a new
 * ETag, as the work of Campaign Manager's people does.
 */
export type SandboxState = Hooks & {
  /** Sorted by e-mail address. */
  users(): User[]
  userByEmail(email: string): User | undefined
  /** Edits the account of this address, else creates it; a new one without roles gets the first role. */
  putUser(user: UserEdit & { email: string }): User
  editUser(id: string, patch: UserEdit): User
  removeUser(id: string): void
  roles(): string[]
  addRole(name: string): void
  /** Accounts keep the name; a later write that names it is refused. */
  removeRole(name: string): void
  /** Who holds the role holds it under its new name. */
  renameRole(from: string, to: string): void
  readonly faults: Faults
  readonly requests: readonly RequestRecord[]
  overlappingWrites(): [RequestRecord, RequestRecord][]
  resetRequests(): void
}

export type StateParts = { users: UserStore; roles: RoleStore; faults: Faults; log: RequestLog }

export function createState({ users, roles, faults, log }: StateParts): SandboxState {
  return {
    onRequest: undefined,
    onApplied: undefined,
    users: () => users.sortedByEmail(),
    userByEmail: (email) => users.findByEmail(email)?.user,
    putUser: (user) => {
      const existing = users.findByEmail(user.email)
      if (existing !== undefined) return users.edit(existing.user.id, user).user
      return users.create({ ...user, roles: user.roles ?? roles.names().slice(0, 1) }).user
    },
    editUser: (id, patch) => users.edit(id, patch).user,
    removeUser: (id) => users.remove(id, undefined),
    roles: () => roles.names(),
    addRole: (name) => {
      roles.add(name)
    },
    removeRole: (name) => {
      roles.remove(name)
    },
    renameRole: (from, to) => {
      roles.rename(from, to)
      users.roleRenamed(from, to)
    },
    faults,
    get requests() {
      return log.records
    },
    overlappingWrites: () => log.overlappingWrites(),
    resetRequests: () => log.reset(),
  }
}
