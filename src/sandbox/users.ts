import { randomUUID } from 'node:crypto'
import { Refusal, type User, type UserEdit, type UserInput } from './contract.ts'
import { type Page, pageOf } from './paging.ts'
import { Past } from './past.ts'
import type { RoleStore } from './roles.ts'

export type VersionedUser = { user: User; etag: string }

type Stored = { user: User; sequence: number; etag: string }

/** The accounts and the contract's rules for them. Every accepted change gives the account a new ETag. */
export class UserStore {
  #sequence = 0
  #version = 0
  readonly #byId = new Map<string, Stored>()
  readonly #idByEmail = new Map<string, string>()
  readonly #past: Past<Stored>
  readonly #roles: RoleStore
  readonly #now: () => Date

  constructor(roles: RoleStore, now: () => Date) {
    this.#roles = roles
    this.#now = now
    this.#past = new Past(now)
  }

  find(id: string): VersionedUser | undefined {
    return this.#byId.get(id)
  }

  findByEmail(email: string): VersionedUser | undefined {
    const id = this.#idByEmail.get(email.toLowerCase())
    return id === undefined ? undefined : this.#byId.get(id)
  }

  sortedByEmail(): User[] {
    const compare = (a: User, b: User) => (a.email < b.email ? -1 : a.email > b.email ? 1 : 0)
    return [...this.#byId.values()].map(({ user }) => user).sort(compare)
  }

  page(size: number, token: string | undefined): Page<User> {
    return pageOf(entries(this.#byId), size, token)
  }

  get(id: string): VersionedUser {
    return this.#stored(id)
  }

  /** As a replica answers that may lack the last change, when that is no older. */
  getStale(id: string, withinMs: number): VersionedUser {
    const past = this.#past.before(id, withinMs)
    return past === undefined ? this.#stored(id) : found(past.before)
  }

  findStaleByEmail(email: string, withinMs: number): VersionedUser | undefined {
    const past = this.#past.before(email.toLowerCase(), withinMs)
    return past === undefined ? this.findByEmail(email) : past.before
  }

  create(input: UserInput): VersionedUser {
    this.#refuseTaken(input.email, undefined)
    this.#refuseRoles(input.roles, [])
    const stamp = this.#now().toISOString()
    return this.#keep(
      { ...complete(input), id: randomUUID(), createdAt: stamp, updatedAt: stamp },
      ++this.#sequence,
    )
  }

  replace(id: string, input: UserInput, ifMatch: string | undefined): VersionedUser {
    const stored = this.#stored(id)
    refuseChanged(stored.etag, ifMatch)
    return this.#change(stored, input, [])
  }

  /** Gives and takes only the first half of the roles that change, as one who stumbles on the way. */
  replacePartially(id: string, input: UserInput, ifMatch: string | undefined): VersionedUser {
    const stored = this.#stored(id)
    refuseChanged(stored.etag, ifMatch)
    this.#refuseRoles(input.roles, [])
    return this.#change(
      stored,
      { ...input, roles: halfWay(stored.user.roles, input.roles) },
      stored.user.roles,
    )
  }

  /** A person's edit: a role that the account holds already may stay, even when the role itself is gone. */
  edit(id: string, patch: UserEdit): VersionedUser {
    const stored = this.#stored(id)
    return this.#change(stored, { ...inputOf(stored.user), ...patch }, stored.user.roles)
  }

  remove(id: string, ifMatch: string | undefined): void {
    const stored = this.#stored(id)
    refuseChanged(stored.etag, ifMatch)
    this.#past.changed(id, stored)
    this.#past.changed(stored.user.email.toLowerCase(), stored)
    this.#byId.delete(id)
    this.#idByEmail.delete(stored.user.email.toLowerCase())
  }

  /** A role is a thing with an id: who holds it holds it under its new name. */
  roleRenamed(from: string, to: string): void {
    for (const { user } of [...this.#byId.values()]) {
      if (!user.roles.includes(from)) continue
      const renamed = user.roles.map((role) => (role === from ? to : role))
      this.edit(user.id, { roles: [...new Set(renamed)] })
    }
  }

  #change({ user, sequence }: Stored, input: UserInput, held: readonly string[]): VersionedUser {
    this.#refuseTaken(input.email, user.id)
    this.#refuseRoles(input.roles, held)
    this.#idByEmail.delete(user.email.toLowerCase())
    const { id, createdAt } = user
    return this.#keep({ ...complete(input), id, createdAt, updatedAt: this.#now().toISOString() }, sequence)
  }

  #keep(user: User, sequence: number): VersionedUser {
    Object.freeze(user.roles)
    const stored = { user: Object.freeze(user), sequence, etag: `"v${++this.#version}"` }
    const before = this.#byId.get(user.id)
    const isRenamed = before !== undefined && before.user.email.toLowerCase() !== user.email.toLowerCase()
    this.#past.changed(user.id, before)
    this.#past.changed(user.email.toLowerCase(), isRenamed ? undefined : before)
    if (isRenamed) this.#past.changed(before.user.email.toLowerCase(), before)
    this.#byId.set(user.id, stored)
    this.#idByEmail.set(user.email.toLowerCase(), user.id)
    return stored
  }

  #stored(id: string): Stored {
    return found(this.#byId.get(id))
  }

  #refuseTaken(email: string, by: string | undefined): void {
    const holder = this.#idByEmail.get(email.toLowerCase())
    if (holder !== undefined && holder !== by) {
      throw new Refusal('user_exists', `the e-mail address ${email} is taken`)
    }
  }

  #refuseRoles(roles: readonly string[], held: readonly string[]): void {
    if (roles.length === 0) throw new Refusal('invalid', 'an account without a role is not allowed')
    const unknown = roles.find((role) => !this.#roles.has(role) && !held.includes(role))
    if (unknown !== undefined) throw new Refusal('role_unknown', `no role is named '${unknown}'`)
  }
}

function found(stored: Stored | undefined): Stored {
  if (stored === undefined) throw new Refusal('not_found', 'no user has this id')
  return stored
}

function halfWay(held: readonly string[], asked: readonly string[]): string[] {
  const changes = [
    ...asked.filter((role) => !held.includes(role)),
    ...held.filter((role) => !asked.includes(role)),
  ]
  const made = changes.slice(0, Math.floor(changes.length / 2))
  const kept = held.filter((role) => !made.includes(role))
  return [...kept, ...made.filter((role) => asked.includes(role))]
}

/** RFC 9110 §13.1.1: If-Match compares strongly, so a weak tag matches nothing. */
function refuseChanged(etag: string, ifMatch: string | undefined): void {
  if (ifMatch === undefined) return
  const tags = ifMatch.split(',').map((tag) => tag.trim())
  if (tags.includes('*') || tags.includes(etag)) return
  throw new Refusal('precondition_failed', 'the user has changed since it was read')
}

function complete(input: UserInput): UserInput & { enabled: boolean } {
  return { ...input, enabled: input.enabled ?? true, roles: [...input.roles] }
}

function inputOf(user: User): UserInput {
  const { id, createdAt, updatedAt, ...input } = user
  return input
}

function* entries(byId: Map<string, Stored>): Iterable<{ sequence: number; item: User }> {
  for (const { sequence, user } of byId.values()) yield { sequence, item: user }
}
