import { setTimeout as pause } from 'node:timers/promises'
import { dialects } from '../../src/cli/demo/dialects.ts'
import { type Answer, groupBody, patchBody, type ScimRequest, userBody } from '../support/scim-client.ts'
import { SERVED_BY } from './front.ts'

export interface Person {
  readonly name: string
  readonly id: string
  /** The roles of the groups that it is in. */
  readonly roles: Set<string>
  wasMember: boolean
  deleted: boolean
}

interface Group {
  readonly role: string
  readonly id: string
}

const PLACEHOLDER = 'Placeholder'
const EVERYBODY = 'Everybody'
const CLIENTS = 4
const MOST_ROUNDS = 400
const ROUNDS_PER_GROUP = 3
/** Between two requests of one client: a flow, and no flood, that the processes started meanwhile get their turn. */
const PACE_MS = 150

const clientNumbers = Array.from({ length: CLIENTS }, (_, index) => index)
const roleOf = (client: number, round: number) => `Role ${client}.${Math.floor(round / ROUNDS_PER_GROUP)}`

/** All roles that the groups of the traffic may be named after. */
export const roles: readonly string[] = [
  PLACEHOLDER,
  EVERYBODY,
  ...clientNumbers.flatMap((client) => [
    ...new Set(Array.from({ length: MOST_ROUNDS }, (_, round) => roleOf(client, round))),
  ]),
]

/** Several clients, half of them in either dialect, that all the time provision people. Each knows what it must be answered. */
export class Traffic {
  /** What was answered otherwise than it must be, or not at all. */
  readonly failures: string[] = []
  readonly people: Person[] = []
  answered = 0
  #stopping = false
  readonly #scim: ScimRequest
  #clients: Promise<unknown> = Promise.resolve()

  constructor(scim: ScimRequest) {
    this.#scim = scim
  }

  async start(): Promise<void> {
    const everybody = await this.createGroup(EVERYBODY)
    this.#clients = Promise.all(clientNumbers.map((client) => this.#run(client, everybody)))
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#clients
  }

  /** What Campaign Manager must hold: the roles of each account, by address. */
  accounts(): Record<string, string[]> {
    const held = this.people.filter(
      ({ deleted, wasMember, roles }) => !deleted && (roles.size > 0 || !wasMember),
    )
    return byAddress(held, ({ roles }) => (roles.size > 0 ? [...roles].sort() : [PLACEHOLDER]))
  }

  /** What the directory must hold: the groups of each user, by address. */
  directory(): Record<string, string[]> {
    const present = this.people.filter(({ deleted }) => !deleted)
    return byAddress(present, ({ roles }) => [...roles].sort())
  }

  async #run(client: number, everybody: Group): Promise<void> {
    const round = new Rounds(this, client, everybody)
    for (let number = 0; number < MOST_ROUNDS && !this.#stopping; number += 1) {
      await round.play(number).catch((error: Error) => this.failures.push(error.message))
    }
  }

  async createGroup(role: string): Promise<Group> {
    const { id } = await this.ask(
      201,
      'POST',
      '/Groups',
      groupBody(role),
      ({ displayName }) => displayName === role,
    )
    return { role, id }
  }

  /** Sends it once. Whatever is not answered as it must be is thrown. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  async ask(status: number, method: string, path: string, body?: object, isRight = (_: any) => true) {
    await pause(PACE_MS)
    const what = `${method} ${path}`
    const answer = await this.#scim(method, path, body).catch((error: Error) => {
      throw new Error(`${what}: ${error.message} ${error.cause ?? ''}`)
    })
    this.answered += 1
    if (answer.status !== status || !isRight(answer.body)) throw new Error(`${what}: ${describe(answer)}`)
    return answer.body
  }
}

/** What one client does, again and again. */
class Rounds {
  readonly #traffic: Traffic
  readonly #client: number
  readonly #everybody: Group
  readonly #dialect
  /** Its own, by round. */
  readonly #people: Person[] = []
  readonly #groups: Group[] = []

  constructor(traffic: Traffic, client: number, everybody: Group) {
    this.#traffic = traffic
    this.#client = client
    this.#everybody = everybody
    const dialect = dialects[client % dialects.length]
    if (dialect === undefined) throw new Error('there is no dialect')
    this.#dialect = dialect
  }

  async play(round: number): Promise<void> {
    if (round % ROUNDS_PER_GROUP === 0) {
      this.#groups.push(await this.#traffic.createGroup(roleOf(this.#client, round)))
    }
    const group = this.#groups.at(-1)
    if (!group) return
    const person = await this.#createPerson(`person-${this.#client}-${round}`)
    // One of five keeps the placeholder.
    if (round % 5 !== 4) {
      await this.#join(group, person)
      await this.#join(this.#everybody, person)
    }
    await this.#look(person)
    await this.#takeAway(this.#people.at(-3), round)
  }

  async #createPerson(name: string): Promise<Person> {
    const filter = `/Users?filter=${encodeURIComponent(`userName eq "${name}@example.com"`)}`
    await this.#traffic.ask(200, 'GET', filter, undefined, ({ totalResults }) => totalResults === 0)
    const { id } = await this.#traffic.ask(
      201,
      'POST',
      '/Users',
      userBody(name),
      ({ userName }) => userName === `${name}@example.com`,
    )
    const person: Person = { name, id, roles: new Set(), wasMember: false, deleted: false }
    this.#people.push(person)
    this.#traffic.people.push(person)
    await this.#traffic.ask(
      200,
      'GET',
      filter,
      undefined,
      ({ totalResults, Resources }) => totalResults === 1 && Resources[0].id === id,
    )
    return person
  }

  /** Takes one role of somebody away, or all, or the user. */
  async #takeAway(person: Person | undefined, round: number): Promise<void> {
    if (!person) return
    const groups = [...this.#groups, this.#everybody].filter(({ role }) => person.roles.has(role))
    if (round % 3 === 2) return this.#delete(person)
    for (const group of round % 3 === 0 ? groups.slice(0, 1) : groups) await this.#leave(group, person)
    await this.#look(person)
  }

  async #join(group: Group, person: Person): Promise<void> {
    await this.#patch(group, this.#dialect.addMembers([person.id]))
    person.roles.add(group.role)
    person.wasMember = true
  }

  async #leave(group: Group, person: Person): Promise<void> {
    await this.#patch(group, this.#dialect.removeMembers([person.id]))
    person.roles.delete(group.role)
    await this.#traffic.ask(
      200,
      'GET',
      `/Groups/${group.id}`,
      undefined,
      ({ members = [] }) => !members.some(({ value }: { value: string }) => value === person.id),
    )
  }

  #patch(group: Group, operations: readonly object[]): Promise<unknown> {
    return this.#traffic.ask(204, 'PATCH', `/Groups/${group.id}`, patchBody(...operations))
  }

  async #delete(person: Person): Promise<void> {
    await this.#traffic.ask(204, 'DELETE', `/Users/${person.id}`)
    person.deleted = true
    await this.#traffic.ask(404, 'GET', `/Users/${person.id}`)
  }

  async #look({ id, name, roles }: Person): Promise<void> {
    await this.#traffic.ask(
      200,
      'GET',
      `/Users/${id}`,
      undefined,
      ({ userName, groups = [] }) =>
        userName === `${name}@example.com` && sameNames(groups.map(namedGroup), [...roles]),
    )
  }
}

/** The groups of each user of the directory, by address, as they are read page by page. */
export async function readDirectory(scim: ScimRequest): Promise<Record<string, string[]>> {
  const groups: Record<string, string[]> = {}
  const PAGE = 100
  for (let startIndex = 1, total = 1; startIndex <= total; startIndex += PAGE) {
    const { body } = await scim('GET', `/Users?startIndex=${startIndex}&count=${PAGE}`)
    total = body.totalResults
    for (const user of body.Resources) groups[user.userName] = (user.groups ?? []).map(namedGroup).sort()
  }
  return groups
}

const namedGroup = ({ display }: { display: string }): string => display

const sameNames = (some: readonly string[], others: readonly string[]): boolean =>
  JSON.stringify([...some].sort()) === JSON.stringify([...others].sort())

const byAddress = (
  people: readonly Person[],
  value: (person: Person) => string[],
): Record<string, string[]> =>
  Object.fromEntries(people.map((person) => [`${person.name}@example.com`, value(person)]))

const describe = ({ status, headers, body }: Answer): string =>
  `${headers.get(SERVED_BY)} answered ${status} ${JSON.stringify(body)}`
