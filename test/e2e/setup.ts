import type { Test } from 'tap'
import type { User } from '../../src/sandbox/contract.ts'
import type { RequestRecord } from '../../src/sandbox/request-log.ts'
import {
  type Answer,
  addMembers,
  ERROR_SCHEMA,
  groupBody,
  patchBody,
  removeMembers,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import type { TestService } from '../support/service.ts'

export const PLACEHOLDER = 'Placeholder'
export const emailOf = (name: string): string => `${name}@example.com`
export const userNameOf = (name: string): string => `${name}@login.example.com`

/** The two ways in which Entra words a PATCH: without and with `aadOptscim062020` in the tenant URL. */
export const dialects = {
  'without the flag': {
    add: addMembers,
    remove: removeMembers,
    active: setActive,
    replace: (path: string, value: unknown) => patchBody({ op: 'Replace', path, value }),
  },
  'with the flag': {
    add: (...values: string[]) =>
      patchBody({ op: 'add', path: 'members', value: values.map((value) => ({ value })) }),
    remove: (...values: string[]) =>
      patchBody(...values.map((value) => ({ op: 'remove', path: `members[value eq "${value}"]` }))),
    active: (active: boolean) => patchBody({ op: 'replace', value: { active } }),
    replace: (path: string, value: unknown) => patchBody({ op: 'replace', value: { [path]: value } }),
  },
} as const

export type Dialect = keyof typeof dialects
export type Naming = 'id' | 'userName' | 'e-mail'

/**
 * Entra, doing what it does to people and groups called by a short name. Every request must succeed; each has the shape of
 * the dialect, and names members as `naming` says.
 */
export function entra(
  t: Test,
  { scim }: TestService,
  dialect: Dialect = 'without the flag',
  naming: Naming = 'id',
) {
  const shapes = dialects[dialect]
  const ids = new Map<string, string>()
  const idOf = (name: string): string => ids.get(name) ?? `nobody has created ${name}`
  const memberValue = (name: string): string =>
    naming === 'id' ? idOf(name) : naming === 'userName' ? userNameOf(name) : emailOf(name)
  async function send(status: number, method: string, path: string, body?: object): Promise<Answer> {
    const answer = await scim(method, path, body)
    t.equal(answer.status, status, `${method} ${path}: ${answer.body?.detail ?? status}`)
    return answer
  }
  async function create(path: string, name: string, body: object): Promise<string> {
    const { body: created } = await send(201, 'POST', path, body)
    t.type(created.id, 'string')
    ids.set(name, created.id)
    return created.id
  }
  const patchGroup = (name: string, body: object) => send(204, 'PATCH', `/Groups/${idOf(name)}`, body)

  return {
    idOf,
    createUser: (name: string, more: object = {}) =>
      create('/Users', name, userBody(name, { userName: userNameOf(name), ...more })),
    createGroup: (name: string) => create('/Groups', name, groupBody(name)),
    add: (group: string, ...names: string[]) => patchGroup(group, shapes.add(...names.map(memberValue))),
    remove: (group: string, ...names: string[]) =>
      patchGroup(group, shapes.remove(...names.map(memberValue))),
    rename: (group: string, to: string) => patchGroup(group, shapes.replace('displayName', to)),
    active: (name: string, active: boolean) =>
      send(200, 'PATCH', `/Users/${idOf(name)}`, shapes.active(active)),
    changeUser: (name: string, path: string, value: unknown) =>
      send(200, 'PATCH', `/Users/${idOf(name)}`, shapes.replace(path, value)),
    deleteUser: (name: string) => send(204, 'DELETE', `/Users/${idOf(name)}`),
    deleteGroup: (name: string) => send(204, 'DELETE', `/Groups/${idOf(name)}`),
    getUser: async (name: string) => (await send(200, 'GET', `/Users/${idOf(name)}`)).body,
    getGroup: async (name: string) => (await send(200, 'GET', `/Groups/${idOf(name)}`)).body,
    checkGroup: (name: string) => send(200, 'GET', `/Groups/${idOf(name)}?excludedAttributes=members`),
    findUser: async (name: string) =>
      found(
        t,
        await send(200, 'GET', `/Users?filter=userName+eq+%22${encodeURIComponent(userNameOf(name))}%22`),
      ),
    findGroup: async (name: string) => {
      const filter = `displayName+eq+%22${encodeURIComponent(name).replaceAll('%20', '+')}%22`
      return found(t, await send(200, 'GET', `/Groups?excludedAttributes=members&filter=${filter}`))
    },
  }
}

/** The ids of a list that a filter was answered with. */
export function found(t: Test, { body }: Answer): string[] {
  t.strictSame(body.schemas, ['urn:ietf:params:scim:api:messages:2.0:ListResponse'])
  t.equal(body.totalResults, body.Resources.length)
  return body.Resources.map(({ id }: { id: string }) => id)
}

export type Account = Omit<User, 'id' | 'createdAt' | 'updatedAt'>

/** The account of somebody whom `entra().createUser(name)` made. */
export const account = (name: string, roles: string[], more: Partial<Account> = {}): Account => ({
  email: emailOf(name),
  firstName: name,
  lastName: 'Test',
  displayName: name,
  externalId: `entra-${name}`,
  enabled: true,
  roles,
  ...more,
})

/** Every account of Campaign Manager, whole but for ids and times, by address. */
export function accountsIn({ sandbox }: TestService): Record<string, Account> {
  const entries = sandbox.state.users().map(({ id, createdAt, updatedAt, roles, ...fields }) => {
    return [fields.email, { ...fields, roles: [...roles] }]
  })
  return Object.fromEntries(entries)
}

/** A whole account, or its new roles, or that it is gone. */
export type Change = Account | string[] | 'gone'

/**
 * Acts, reconciles, and compares every account with what it was before: only `changes`, by short name, may differ, and
 * an account that stays is the same one.
 */
export async function step(
  t: Test,
  service: TestService,
  message: string,
  act: () => unknown,
  changes: Record<string, Change> = {},
): Promise<void> {
  const idsBefore = idsByEmail(service)
  const expected = accountsIn(service)
  for (const [name, change] of Object.entries(changes)) {
    const email = emailOf(name)
    if (change === 'gone') {
      t.hasOwnProp(expected, email, `${message}: ${name} has an account to lose`)
      delete expected[email]
    } else if (Array.isArray(change)) {
      expected[email] = { ...(expected[email] ?? account(name, [])), roles: change }
    } else {
      expected[email] = change
    }
  }
  await act()
  await service.settle()
  t.strictSame(accountsIn(service), expected, message)
  const idsAfter = idsByEmail(service)
  const replaced = [...idsBefore.keys()].filter((email) => {
    return idsAfter.has(email) && idsAfter.get(email) !== idsBefore.get(email)
  })
  t.strictSame(replaced, [], `${message}: no account was made anew`)
}

const idsByEmail = ({ sandbox }: TestService) =>
  new Map(sandbox.state.users().map(({ email, id }) => [email, id]))

/** What Campaign Manager was asked about accounts while `act` ran and after it was reconciled. */
export async function callsDuring(
  service: TestService,
  act: () => unknown,
): Promise<{ writes: string[]; reads: number }> {
  const from = service.sandbox.state.requests.length
  await act()
  await service.settle()
  const calls = service.sandbox.state.requests.slice(from).filter(({ route }) => route !== 'roles')
  const writes = calls.filter(({ method }) => method !== 'GET')
  return { writes: writes.map(({ method }: RequestRecord) => method), reads: calls.length - writes.length }
}

/** An error in SCIM's form (RFC 7644 §3.12), with the media type that Entra insists on. */
export function isScimError(
  t: Test,
  answer: Answer,
  expected: { status: number; scimType?: string | undefined; detail?: string | RegExp },
  message = `${expected.status} ${expected.scimType ?? ''}`,
): void {
  const { status, scimType, detail } = expected
  t.equal(answer.status, status, `${message}: ${answer.body?.detail}`)
  t.equal(answer.headers.get('content-type'), 'application/scim+json', `${message}: media type`)
  t.strictSame(answer.body?.schemas, [ERROR_SCHEMA], `${message}: schemas`)
  t.equal(answer.body?.status, String(status), `${message}: status is a string`)
  t.equal(answer.body?.scimType, scimType, `${message}: scimType`)
  // Every detail ends with the request's id, for the operator to find it in the log.
  const said = answer.body?.detail?.replace(/ \[request [\w-]+\]$/, '')
  if (typeof detail === 'string') t.equal(said, detail, `${message}: detail`)
  else t.match(said, detail ?? /\w/, `${message}: detail`)
}

/** The value of one metric, 0 when it has none. */
export async function metric({ url }: TestService, line: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const found = text.split('\n').find((row) => row.startsWith(`scim_bridge_${line} `))
  return Number(found?.split(' ').at(-1) ?? 0)
}

/** Why each user that waits does so. */
export async function reasons({ database }: TestService): Promise<string[]> {
  const { rows } = await database.pool.query('select failure, failure_detail from dirty_user')
  return rows.map(({ failure, failure_detail: detail }) => `${failure} ${detail ?? ''}`)
}
