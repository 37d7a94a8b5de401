import { randomUUID } from 'node:crypto'
import { newGroup, newUser, patch } from './bodies.ts'
import type { Dialect } from './dialects.ts'
import { type Action, addressOf, nameOf, type PersonKey } from './flows.ts'

export interface Answer {
  readonly status: number
  /** Absent when there was none. */
  readonly body?: unknown
}

export type Send = (method: string, path: string, body?: object) => Promise<Answer>

/** What an answer should be: one of the statuses, and of a query how many it found. */
export interface ExpectedAnswer {
  readonly status: readonly number[]
  readonly found?: number
}

export interface Exchange {
  readonly purpose: string
  readonly request: { readonly method: string; readonly path: string; readonly body?: object }
  readonly answer: Answer
  readonly expected: ExpectedAnswer
  readonly right: boolean
}

export interface Entra {
  /** Sends what the action takes; nothing about an object that was never created, as Entra does. */
  perform(action: Action): Promise<Exchange[]>
}

const EXPECTED = {
  read: { status: [200] },
  create: { status: [201] },
  patch: { status: [200, 204] },
  remove: { status: [204] },
} as const satisfies Record<string, ExpectedAnswer>

const query = (attribute: string, value: string) =>
  new URLSearchParams({ filter: `${attribute} eq "${value}"` }).toString()
const userQuery = (userName: string) => `/Users?${query('userName', userName)}`
const groupQuery = (displayName: string) =>
  `/Groups?excludedAttributes=members&${query('displayName', displayName)}`
const names = (people: readonly PersonKey[]) => people.map(nameOf).join(', ')

/** Entra's provisioning, as far as the flows need it. It remembers the id that it was given for each of its objects. */
export function createEntra(send: Send, dialect: Dialect): Entra {
  const links = new Map<string, string>()
  const linked = (keys: readonly string[]) => keys.flatMap((key) => links.get(key) ?? [])

  async function exchange(
    purpose: string,
    expected: ExpectedAnswer,
    method: string,
    path: string,
    body?: object,
  ): Promise<Exchange> {
    const answer = await send(method, path, body)
    const request = { method, path, ...(body !== undefined && { body }) }
    return { purpose, request, answer, expected, right: isExpected(answer, expected) }
  }

  /** Links what the query finds, else what it then creates. */
  async function match(
    key: string,
    name: string,
    found: boolean,
    queryPath: string,
    create: { path: string; body: () => object },
  ): Promise<Exchange[]> {
    const expected = { ...EXPECTED.read, found: found ? 1 : 0 }
    const look = await exchange(`Look for ${name}`, expected, 'GET', queryPath)
    const known = idOf(resources(look.answer)[0])
    if (known !== undefined) links.set(key, known)
    if (look.answer.status !== 200 || known !== undefined) return [look]
    const created = await exchange(`Create ${name}`, EXPECTED.create, 'POST', create.path, create.body())
    const id = idOf(created.answer.body)
    if (created.answer.status === 201 && id !== undefined) links.set(key, id)
    return [look, created]
  }

  /** A change of the memberships of those who are linked, when the group is too. */
  async function members(
    group: string,
    people: readonly PersonKey[],
    purpose: string,
    operations: Dialect['addMembers'],
  ): Promise<Exchange[]> {
    const ids = linked(people)
    const [groupId] = linked([group])
    if (groupId === undefined || ids.length === 0) return []
    return [await exchange(purpose, EXPECTED.patch, 'PATCH', `/Groups/${groupId}`, patch(operations(ids)))]
  }

  async function perform(action: Action): Promise<Exchange[]> {
    switch (action.does) {
      case 'probe':
        return [
          await exchange('Is /Users there?', { ...EXPECTED.read, found: 0 }, 'GET', userQuery(randomUUID())),
          await exchange(
            'Is /Groups there?',
            { ...EXPECTED.read, found: 0 },
            'GET',
            groupQuery(randomUUID()),
          ),
        ]
      case 'match user': {
        const { person, found } = action
        const create = { path: '/Users', body: () => newUser(person, randomUUID()) }
        return match(person, nameOf(person), found, userQuery(addressOf(person)), create)
      }
      case 'match group': {
        const { group, found } = action
        const create = { path: '/Groups', body: () => newGroup(group, randomUUID()) }
        return match(group, `the group ${group}`, found, groupQuery(group), create)
      }
      case 'add members': {
        const { group, people } = action
        return members(group, people, `Add ${names(people)} to ${group}`, dialect.addMembers)
      }
      case 'remove members': {
        const { group, people } = action
        return members(group, people, `Remove ${names(people)} from ${group}`, dialect.removeMembers)
      }
      case 'deactivate': {
        const name = nameOf(action.person)
        const [id] = linked([action.person])
        if (id === undefined) return []
        const body = patch(dialect.setActive(false))
        return [
          await exchange(`Read ${name}`, EXPECTED.read, 'GET', `/Users/${id}`),
          await exchange(`Set ${name} inactive`, EXPECTED.patch, 'PATCH', `/Users/${id}`, body),
        ]
      }
      case 'read group': {
        const [id] = linked([action.group])
        if (id === undefined) return []
        const path = `/Groups/${id}?excludedAttributes=members`
        return [await exchange(`Read the group ${action.group}`, EXPECTED.read, 'GET', path)]
      }
      case 'delete group': {
        const [id] = linked([action.group])
        if (id === undefined) return []
        links.delete(action.group)
        return [
          await exchange(`Delete the group ${action.group}`, EXPECTED.remove, 'DELETE', `/Groups/${id}`),
        ]
      }
    }
  }

  return { perform }
}

export function isExpected({ status, body }: Answer, expected: ExpectedAnswer): boolean {
  if (!expected.status.includes(status)) return false
  return expected.found === undefined || member(body, 'totalResults') === expected.found
}

/** What a query found. */
export function resources({ body }: Answer): readonly unknown[] {
  const found = member(body, 'Resources')
  return Array.isArray(found) ? found : []
}

export function idOf(resource: unknown): string | undefined {
  const id = member(resource, 'id')
  return typeof id === 'string' ? id : undefined
}

export function member(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}
