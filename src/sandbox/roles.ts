import { randomUUID } from 'node:crypto'
import { Refusal, type Role } from './contract.ts'
import { type Page, pageOf } from './paging.ts'

/** The contract leaves the size of a page of roles to the server. */
const PAGE_SIZE = 100

/** The roles, by exact name. */
export class RoleStore {
  #sequence = 0
  readonly #byName = new Map<string, { sequence: number; item: Role }>()

  constructor(names: readonly string[]) {
    for (const name of names) this.add(name)
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** In the order of their creation; a renamed role keeps its place. */
  names(): string[] {
    return this.#inOrder().map(({ item }) => item.name)
  }

  page(token: string | undefined): Page<Role> {
    return pageOf(this.#inOrder(), PAGE_SIZE, token)
  }

  add(name: string): Role {
    this.#refuseName(name)
    const item = Object.freeze({ id: randomUUID(), name })
    this.#byName.set(name, { sequence: ++this.#sequence, item })
    return item
  }

  remove(name: string): boolean {
    return this.#byName.delete(name)
  }

  rename(from: string, to: string): Role {
    const entry = this.#byName.get(from)
    if (entry === undefined) throw new Refusal('role_unknown', `no role is named '${from}'`)
    this.#refuseName(to)
    this.#byName.delete(from)
    const item = Object.freeze({ ...entry.item, name: to })
    this.#byName.set(to, { sequence: entry.sequence, item })
    return item
  }

  #inOrder(): { sequence: number; item: Role }[] {
    return [...this.#byName.values()].sort((a, b) => a.sequence - b.sequence)
  }

  #refuseName(name: string): void {
    if (name === '' || name.length > 256)
      throw new Refusal('invalid', 'a role needs a name of 1 to 256 characters')
    if (this.#byName.has(name)) throw new Refusal('invalid', `a role named '${name}' exists already`)
  }
}
