import { type Answer, groupBody, patchBody, setActive, userBody } from '../support/scim-client.ts'
import { type EntraClient, filterPath, type Settled } from './entra-client.ts'
import { pickOf, type Random, someOf, type Tally } from './figures.ts'
import type { DirectoryHistory, Span } from './history.ts'

export interface Person {
  readonly name: string
  readonly email: string
  /** Has roles given by hand, and is never deleted. */
  readonly isForeign: boolean
  /** While it is a user. */
  userId: string | undefined
  active: boolean
  /** The ids it ever had as a user, each from the time it was asked for. */
  readonly userIds: string[]
  /** Of the present user: deactivated and activated again, or perhaps. */
  reactivated: boolean
}

export interface Group {
  readonly id: string
  name: string
  /** Somebody has asked for its deletion. */
  deleting: boolean
}

/** What all clients share. */
export interface Directory {
  readonly history: DirectoryHistory
  readonly roles: readonly string[]
  readonly groupCount: number
  /** Those that nobody deletes. */
  readonly groups: Set<Group>
  readonly operations: Tally
  readonly odd: string[]
}

/** One request about one resource, alone or in a bulk request. */
interface Change {
  readonly what: string
  readonly method: 'PATCH' | 'DELETE'
  readonly path: string
  readonly data?: object
  /** Whether the answer may be: the change was made, or the resource is gone. */
  settle(status: number, span: Span, repeated: boolean): boolean
}

const BULK_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
let created = 0

/** A client that alone looks after some of the people, and with others after the groups. */
export class DirectoryClient {
  readonly #directory: Directory
  readonly #people: readonly Person[]
  readonly #entra: EntraClient
  readonly #random: Random

  constructor(directory: Directory, people: readonly Person[], entra: EntraClient, random: Random) {
    this.#directory = directory
    this.#people = people
    this.#entra = entra
    this.#random = random
  }

  async createPeople(): Promise<void> {
    for (const person of this.#people) await this.#createUser(person)
  }

  async act(): Promise<void> {
    const { groups, groupCount } = this.#directory
    const isMissing = this.#people.find(({ userId }) => userId === undefined)
    const chance = this.#random(100)
    if (groups.size < groupCount && (groups.size === 0 || chance < 30)) return this.createGroup()
    if (isMissing && chance < 25) return this.#createUser(isMissing)
    if (this.#users().length === 0) return this.#createUser(pickOf(this.#random, this.#people))
    if (chance >= 95) return this.#sendBulk()
    return this.#send(this.#choose())
  }

  async createGroup(): Promise<void> {
    const { roles, groups, history, operations } = this.#directory
    const taken = new Set([...groups].map(({ name }) => name))
    const name = pickOf(
      this.#random,
      roles.filter((role) => !taken.has(role)),
    )
    created += 1
    const externalId = `chaos-group-${created}`
    operations.add('create group')
    const look = () => this.#lookUp('/Groups', `displayName eq "${name}"`)
    if (await look()) return
    const settled = await this.#entra.insist('POST', '/Groups', groupBody(name, { externalId }), look)
    let { answer } = settled
    if (answer.status === 409) answer = (await look()) ?? answer
    // Somebody else may have been faster, and may have deleted theirs since.
    if (answer.body?.externalId !== externalId) {
      if (answer.status >= 400 && ![404, 409].includes(answer.status))
        this.#misanswered('POST /Groups', answer)
      return
    }
    history.named(answer.body.id, name, spanOf(settled))
    groups.add({ id: answer.body.id, name, deleting: false })
  }

  async #createUser(person: Person): Promise<void> {
    if (person.userId !== undefined) return
    this.#directory.operations.add('create user')
    const look = () => this.#lookUp('/Users', `userName eq "${person.email}"`)
    const settled = await this.#entra.insist('POST', '/Users', userBody(person.name), look)
    const { answer } = settled
    const found = answer.status === 409 && settled.repeated ? await look() : answer
    const id = found?.body?.id
    if (typeof id !== 'string') return this.#misanswered('POST /Users', answer)
    person.userId = id
    person.userIds.push(id)
    this.#directory.history.userCreated(id, spanOf(settled))
    person.active = true
    person.reactivated = false
  }

  /** The one that the filter finds, as it is then. */
  async #lookUp(collection: string, filter: string): Promise<Answer | undefined> {
    const { body } = await this.#entra.ask('GET', filterPath(collection, filter))
    const count = body.Resources?.length ?? 0
    if (count !== body.totalResults) this.#directory.operations.add('list that counts others than it shows')
    return count > 0 ? this.#entra.ask('GET', `${collection}/${body.Resources[0].id}`) : undefined
  }

  #users(): (Person & { userId: string })[] {
    return this.#people.filter((person) => person.userId !== undefined) as (Person & { userId: string })[]
  }

  #choose(): Change {
    const { groups } = this.#directory
    const chance = this.#random(100)
    if (groups.size === 0 || chance < 15) return this.#setActive()
    if (chance < 19) return this.#deleteUser() ?? this.#setActive()
    const group = pickOf(this.#random, [...groups])
    if (chance < 21) return this.#deleteGroup(group)
    if (chance < 24) return this.#renameGroup(group)
    if (chance < 26) return this.#replaceMembers(group)
    return chance < 65 ? this.#addMembers(group) : this.#removeMembers(group)
  }

  #addMembers(group: Group): Change {
    const ids = someOf(this.#random, this.#users(), 5).map(({ userId }) => userId)
    return this.#groupChange('add members', group, membersPatch('Add', ids), (span) => {
      for (const id of ids) this.#directory.history.joined(group.id, id, span)
    })
  }

  #removeMembers(group: Group): Change {
    const ids = someOf(this.#random, this.#users(), 8).map(({ userId }) => userId)
    return this.#groupChange('remove members', group, membersPatch('Remove', ids), (span) => {
      for (const id of ids) this.#directory.history.left(group.id, id, span)
    })
  }

  #replaceMembers(group: Group): Change {
    const ids = someOf(this.#random, this.#users(), 40).map(({ userId }) => userId)
    return this.#groupChange('replace members', group, membersPatch('Replace', ids), (span) => {
      this.#directory.history.emptied(group.id, span, ids)
      for (const id of ids) this.#directory.history.joined(group.id, id, span)
    })
  }

  #renameGroup(group: Group): Change {
    const name = pickOf(this.#random, this.#directory.roles)
    const body = patchBody({ op: 'Replace', path: 'displayName', value: name })
    const rename = this.#groupChange('rename group', group, body, (span) => {
      this.#directory.history.named(group.id, name, span)
      if (span.certain) group.name = name
    })
    return {
      ...rename,
      settle: (status, span, repeated) => {
        if (status !== 409) return rename.settle(status, span, repeated)
        // An earlier request may have been carried out, before somebody else changed the name again.
        if (repeated) this.#directory.history.named(group.id, name, { ...span, certain: false })
        return true
      },
    }
  }

  #deleteGroup(group: Group): Change {
    this.#directory.groups.delete(group)
    group.deleting = true
    return {
      what: 'delete group',
      method: 'DELETE',
      path: `/Groups/${group.id}`,
      settle: (status, span, repeated) => {
        this.#directory.history.emptied(group.id, span)
        return status === 204 || (status === 404 && repeated)
      },
    }
  }

  #groupChange(what: string, group: Group, data: object, record: (span: Span) => void): Change {
    return {
      what,
      method: 'PATCH',
      path: `/Groups/${group.id}`,
      data,
      settle: (status, span, repeated) => {
        const isDone = status === 204 || status === 200
        if (isDone || repeated) record({ ...span, certain: isDone })
        return isDone || (status === 404 && group.deleting)
      },
    }
  }

  #setActive(): Change {
    const person = pickOf(this.#random, this.#users())
    const active = !person.active
    person.active = active
    return {
      what: active ? 'reactivate' : 'deactivate',
      method: 'PATCH',
      path: `/Users/${person.userId}`,
      data: setActive(active),
      settle: (status) => {
        person.reactivated ||= active
        return status === 200
      },
    }
  }

  #deleteUser(): Change | undefined {
    const deletable = this.#users().filter(({ isForeign }) => !isForeign)
    if (deletable.length === 0) return undefined
    const person = pickOf(this.#random, deletable)
    const id = person.userId
    return {
      what: 'delete user',
      method: 'DELETE',
      path: `/Users/${id}`,
      settle: (status, span, repeated) => {
        this.#directory.history.userDeleted(id, span)
        Object.assign(person, { userId: undefined })
        return status === 204 || (status === 404 && repeated)
      },
    }
  }

  async #send(change: Change): Promise<void> {
    const { method, path, data } = change
    this.#directory.operations.add(change.what)
    const settled = await this.#entra.insist(method, path, data, async () => {
      const answer = await this.#entra.ask('GET', `${path}?excludedAttributes=members`)
      return answer.status === 404 ? answer : undefined
    })
    const isFine = change.settle(settled.answer.status, spanOf(settled), settled.repeated)
    if (!isFine) this.#misanswered(`${method} ${path}`, settled.answer)
  }

  async #sendBulk(): Promise<void> {
    const { groups, operations } = this.#directory
    operations.add('bulk')
    const changes = Array.from({ length: 2 + this.#random(6) }, () => {
      const chance = groups.size === 0 ? 0 : this.#random(10)
      if (chance < 2) return this.#setActive()
      const group = pickOf(this.#random, [...groups])
      return chance < 7 ? this.#addMembers(group) : this.#removeMembers(group)
    })
    const body = {
      schemas: [BULK_SCHEMA],
      Operations: changes.map(({ method, path, data }) => ({ method, path, data })),
    }
    const none = async () => undefined
    let first: Settled | undefined
    for (;;) {
      const settled = await this.#entra.insist('POST', '/Bulk', body, none)
      first ??= settled
      const results: { status: string }[] | undefined = settled.answer.body?.Operations
      if (settled.answer.status !== 200 || results === undefined) {
        return this.#misanswered('POST /Bulk', settled.answer)
      }
      const repeated = settled.repeated || first !== settled
      if (results.some(({ status }) => status === '503')) continue
      const span = { from: first.from, to: settled.to, certain: true }
      for (const [index, change] of changes.entries()) {
        const status = Number(results[index]?.status)
        operations.add(change.what)
        if (!change.settle(status, span, repeated)) {
          this.#misanswered(`${change.method} ${change.path} in bulk`, settled.answer)
        }
      }
      return
    }
  }

  #misanswered(what: string, { status, body }: Answer): void {
    this.#directory.odd.push(`${what}: ${status} ${JSON.stringify(body)}`.slice(0, 500))
  }
}

const spanOf = ({ from, to }: Span): Span => ({ from, to, certain: true })

const membersPatch = (op: string, ids: readonly string[]): object =>
  patchBody({ op, path: 'members', value: ids.map((value) => ({ value })) })
