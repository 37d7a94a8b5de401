import type { SandboxState } from '../../src/sandbox/state.ts'
import type { ScimRequest } from '../support/scim-client.ts'
import type { AccountWatch } from './account-watch.ts'
import type { Directory, Person } from './directory-client.ts'
import type { OwnPostgres } from './own-postgres.ts'

/** What the directory says when nobody changes it any more. */
export interface SettledDirectory {
  /** By id. */
  readonly users: ReadonlyMap<string, { userName: string; active: boolean; standing: string }>
  readonly groups: ReadonlyMap<string, { name: string; members: ReadonlySet<string> }>
}

export async function readFinalDirectory(
  scim: ScimRequest,
  { query }: Pick<OwnPostgres, 'query'>,
): Promise<SettledDirectory> {
  const standings = new Map(
    (await query('select user_id, standing from account')).map(({ user_id, standing }) => [
      String(user_id),
      String(standing),
    ]),
  )
  const users = new Map<string, { userName: string; active: boolean; standing: string }>()
  for await (const { id, userName, active } of everything(scim, '/Users', 'userName,active')) {
    users.set(id, { userName, active, standing: standings.get(id) ?? 'none' })
  }
  const groups = new Map<string, { name: string; members: Set<string> }>()
  for await (const { id } of everything(scim, '/Groups', 'displayName')) {
    const { body } = await scim('GET', `/Groups/${id}`)
    const members: { value: string }[] = body.members ?? []
    groups.set(id, { name: body.displayName, members: new Set(members.map(({ value }) => value)) })
  }
  return { users, groups }
}

// biome-ignore lint/suspicious/noExplicitAny: resources of two types
async function* everything(scim: ScimRequest, path: string, attributes: string): AsyncIterable<any> {
  for (let start = 1; ; ) {
    const { body } = await scim('GET', `${path}?attributes=${attributes}&startIndex=${start}&count=100`)
    yield* body.Resources ?? []
    start += body.Resources?.length ?? 0
    if (start > body.totalResults || body.Resources === undefined) return
  }
}

/** The accounts that are not what the rule makes of the directory and of the roles given by hand. */
export function wrongAccounts(
  state: SandboxState,
  { users, groups }: SettledDirectory,
  people: readonly Person[],
  watch: AccountWatch,
  placeholder: string,
): string[] {
  const wanted = new Map<string, Set<string>>()
  for (const { name, members } of groups.values()) {
    for (const id of members) wanted.set(id, (wanted.get(id) ?? new Set()).add(name))
  }
  const expected = people.flatMap(({ email, name, userId }) => {
    const roles = new Set([...watch.byHand(email), ...(wanted.get(userId ?? '') ?? [])])
    if (roles.size === 0 && users.get(userId ?? '')?.standing === 'awaiting') roles.add(placeholder)
    if (roles.size === 0) return []
    // An account that was never ours keeps what it had.
    const isOurs = [...roles].some((role) => !watch.byHand(email).includes(role))
    return [line(email, roles, true, isOurs ? `entra-${name}` : undefined)]
  })
  const isOurs = new Set(
    expected.filter((each) => each.includes(' entra-')).map((each) => each.split(' ')[0]),
  )
  const real = state
    .users()
    .map(({ email, roles, enabled, externalId }) =>
      line(email, roles, enabled, isOurs.has(email) ? externalId : undefined),
    )
  return [
    ...expected.filter((each) => !real.includes(each)).map((each) => `should be: ${each}`),
    ...real.filter((each) => !expected.includes(each)).map((each) => `is: ${each}`),
  ].sort()
}

const line = (
  email: string,
  roles: Iterable<string>,
  enabled: boolean,
  externalId: string | undefined,
): string =>
  `${email} ${enabled ? 'enabled' : 'disabled'} ${externalId ?? '-'} ${[...roles].sort().join('+')}`

/** Where the directory is not what the answers of its clients allow. */
export function wrongMemberships(
  { users, groups }: SettledDirectory,
  { history, groups: known }: Directory,
  people: readonly Person[],
): string[] {
  const wrong: string[] = []
  const knownIds = new Set([...known].map(({ id }) => id))
  for (const id of knownIds) if (!groups.has(id)) wrong.push(`group ${id} is gone`)
  for (const [id, { name }] of groups) {
    if (!knownIds.has(id)) wrong.push(`group ${name} was deleted`)
    if (!history.mayFinallyBeNamed(id, name)) wrong.push(`group ${id} cannot be named ${name}`)
  }
  if (users.size !== people.filter(({ userId }) => userId !== undefined).length)
    wrong.push('the count of users')
  for (const { userId, email, active, reactivated } of people) {
    if (userId === undefined) continue
    const user = users.get(userId)
    if (user === undefined) {
      wrong.push(`user ${email} is gone`)
      continue
    }
    if (user.active !== active) wrong.push(`user ${email} is not ${active ? 'active' : 'inactive'}`)
    let isMember = false
    for (const [id, { name, members }] of groups) {
      const { may, mayNot } = history.finallyMember(id, userId)
      if (members.has(userId) ? !may : !mayNot) {
        wrong.push(`${email} is ${members.has(userId) ? '' : 'not '}in ${name}`)
      }
      isMember ||= members.has(userId)
    }
    const standings = possibleStandings(isMember, history.everJoined(userId), reactivated)
    if (!standings.includes(user.standing)) {
      wrong.push(`${email} is ${user.standing}, not ${standings.join(' or ')}`)
    }
  }
  return wrong
}

function possibleStandings(
  isMember: boolean,
  joined: 'never' | 'perhaps' | 'certainly',
  reactivated: boolean,
): string[] {
  if (isMember) return ['assigned']
  if (joined === 'never') return ['awaiting']
  return joined === 'perhaps' || reactivated ? ['awaiting', 'released'] : ['released']
}
