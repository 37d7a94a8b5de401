import {
  addMembers,
  groupBody,
  patchBody,
  removeMembers,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import type { TestService } from '../support/service.ts'

const PLACEHOLDER = 'Placeholder'
const BY_HAND = 'Auditor'
/** To be renamed is to take the other of its names. */
const NAMES = { one: ['Agents', 'Analyst'], two: ['Editor', 'Supervisor'] } as const
export const ROLES = [PLACEHOLDER, BY_HAND, ...NAMES.one, ...NAMES.two]

type GroupKey = keyof typeof NAMES

/** What each does to the membership in which group. */
const CHANGES_OF_GROUPS = {
  'join one': ['one', true],
  'join two': ['two', true],
  'leave one': ['one', false],
  'leave two': ['two', false],
} as const satisfies Record<string, readonly [GroupKey, boolean]>
type Membership = keyof typeof CHANGES_OF_GROUPS

export const MEMBERSHIPS = Object.keys(CHANGES_OF_GROUPS) as Membership[]
export const OTHERS = ['rename one', 'toggle active', 'change address', 'delete user', 'create user'] as const
export const BY_HAND_CHANGES = ['give by hand', 'take by hand', 'delete by hand'] as const
/** For two who share their addresses. */
export const HANDOVERS = ['take address', 'have own address'] as const
export type Change = Membership | (typeof OTHERS | typeof BY_HAND_CHANGES | typeof HANDOVERS)[number]

export type ScriptedGroups = Readonly<Record<GroupKey, { readonly id: string; name: string }>>

export async function createScriptedGroups({ scim }: TestService): Promise<ScriptedGroups> {
  const create = async (key: GroupKey) => {
    const name = NAMES[key][0]
    return { id: String((await scim('POST', '/Groups', groupBody(name))).body.id), name }
  }
  return { one: await create('one'), two: await create('two') }
}

/** One person of the directory, and what Campaign Manager should hold of them. */
export class ScriptedPerson {
  readonly #service: TestService
  readonly #groups: ScriptedGroups
  readonly #name: string
  readonly #neighbour: string | undefined
  #address: string
  readonly #memberOf = new Set<GroupKey>()
  readonly #byHand = new Set<string>()
  #id: string | undefined
  #active = true
  #awaiting = true
  #changes = 0
  /** One for each time the person was created. */
  readonly userIds: string[] = []
  /** What somebody did by hand is only seen by a comparison. */
  touchedByHand = false

  /** @param neighbour whose address this one may take */
  constructor(service: TestService, groups: ScriptedGroups, name: string, neighbour?: string) {
    this.#service = service
    this.#groups = groups
    this.#name = name
    this.#neighbour = neighbour
    this.#address = addressOf(name)
  }

  async perform(what: Change): Promise<void> {
    this.#changes += 1
    if (what === 'create user') return this.#create()
    if (what === 'give by hand' || what === 'take by hand' || what === 'delete by hand') {
      return this.#byHands(what)
    }
    if (this.#id === undefined) return
    const path = `/Users/${this.#id}`
    const { scim } = this.#service
    switch (what) {
      case 'delete user':
        this.#id = undefined
        this.#memberOf.clear()
        await scim('DELETE', path)
        return
      case 'toggle active':
        this.#active = !this.#active
        if (this.#active && this.#memberOf.size === 0) this.#awaiting = true
        await scim('PATCH', path, setActive(this.#active))
        return
      case 'change address':
        return this.#changeAddress(path, addressOf(`${this.#name}-${this.#changes}`))
      case 'take address':
        return this.#changeAddress(path, addressOf(this.#neighbour ?? this.#name))
      case 'have own address':
        return this.#changeAddress(path, addressOf(this.#name))
      case 'rename one': {
        const group = this.#groups.one
        group.name = NAMES.one.find((name) => name !== group.name) ?? ''
        const operation = { op: 'Replace', path: 'displayName', value: group.name }
        await scim('PATCH', `/Groups/${group.id}`, patchBody(operation))
        return
      }
      default:
        return this.#changeMembership(what, this.#id)
    }
  }

  async #create(): Promise<void> {
    if (this.#id !== undefined || this.#byHand.size > 0) return
    this.#address = addressOf(this.#name)
    this.#active = true
    this.#awaiting = true
    const { body } = await this.#service.scim('POST', '/Users', userBody(this.#name))
    this.#id = String(body.id)
    this.userIds.push(this.#id)
  }

  async #changeAddress(path: string, value: string): Promise<void> {
    this.#address = value
    const operation = { op: 'Replace', path: 'emails[type eq "work"].value', value }
    await this.#service.scim('PATCH', path, patchBody(operation))
  }

  async #changeMembership(what: Membership, id: string): Promise<void> {
    const [group, isJoining] = CHANGES_OF_GROUPS[what]
    if (isJoining) {
      this.#memberOf.add(group)
      this.#awaiting = false
    } else this.#memberOf.delete(group)
    const patch = isJoining ? addMembers(id) : removeMembers(id)
    await this.#service.scim('PATCH', `/Groups/${this.#groups[group].id}`, patch)
  }

  #byHands(what: (typeof BY_HAND_CHANGES)[number]): void {
    const { state } = this.#service.sandbox
    const account = this.#accounts()[0]
    // Which of two users of one person had the account decides what becomes of roles given by hand.
    if (account === undefined || this.#id === undefined || this.userIds.length > 1) return
    this.touchedByHand = true
    if (what === 'give by hand') {
      this.#byHand.add(BY_HAND)
      state.editUser(account.id, { roles: [...new Set([...account.roles, BY_HAND])] })
    } else if (what === 'take by hand') {
      const roles = account.roles.slice(1)
      if (roles.length === 0) return
      state.editUser(account.id, { roles })
      if (!roles.includes(BY_HAND)) this.#byHand.clear()
    } else {
      this.#byHand.clear()
      state.removeUser(account.id)
    }
  }

  #accounts() {
    const externalId = `entra-${this.#name}`
    return this.#service.sandbox.state.users().filter((account) => account.externalId === externalId)
  }

  /** What is wrong, if anything is. */
  fault(): string | undefined {
    const expected = this.#expected()
    const actual = this.#accounts().map(({ email, enabled, roles }) => line(email, enabled, roles))
    if (expected.join() === actual.join()) return undefined
    return `should be [${expected}], but is [${actual}]`
  }

  #expected(): string[] {
    if (this.#id === undefined) return []
    const roles = [...this.#byHand, ...[...this.#memberOf].map((key) => this.#groups[key].name)]
    if (roles.length === 0 && this.#awaiting) roles.push(PLACEHOLDER)
    return roles.length > 0 ? [line(this.#address, this.#active, roles)] : []
  }
}

const addressOf = (name: string): string => `${name}@example.com`

const line = (email: string, enabled: boolean, roles: readonly string[]): string =>
  `${email} ${enabled ? 'enabled' : 'disabled'} ${[...roles].sort().join('+')}`
