import * as fc from 'fast-check'
import type { ModelSystem } from './model-system.ts'
import {
  deleteUser,
  type Model,
  type ModelAccount,
  type ModelUser,
  removeAccount,
  removeGroup,
  renameGroup,
  setActive,
  setMembers,
} from './role-model.ts'
import { type Answer, groupBody, patchBody, userBody } from './scim-client.ts'

/** The roles that groups stand for, and those that none ever does. */
export const GROUP_ROLES = ['Campaign Editor', 'Campaign Viewer', 'Campaign Approver', 'Planner'] as const
export const OTHER_ROLES = ['Analyst', 'Agents'] as const

const PEOPLE = 4
const GROUPS = 3

export const emailOf = (person: number, which: number): string =>
  which === 0 ? `p${person}@example.com` : `p${person}.new@example.com`

const NOBODY = '00000000-0000-4000-8000-000000000000'

/** What Entra does. Shrinks to fewer and simpler steps, since each is plain data. */
const person = fc.nat({ max: PEOPLE - 1 })
const group = fc.nat({ max: GROUPS - 1 })
const people = fc.uniqueArray(person, { minLength: 1, maxLength: PEOPLE })
const groupRole = fc.constantFrom(...GROUP_ROLES)

export const scimStep = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('createUser'), person }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteUser'), person }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('setActive'),
      person,
      active: fc.boolean(),
      dialect: fc.constantFrom('path', 'object'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('changeEmail'), person, which: fc.nat({ max: 1 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('changeName'), person, name: fc.constantFrom('Ann', 'Bob') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('createGroup'), group, role: groupRole }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteGroup'), group }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renameGroup'), group, role: groupRole }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('add'),
      group,
      people,
      dialect: fc.constantFrom('entra', 'object', 'many', 'address'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('remove'),
      group,
      people,
      dialect: fc.constantFrom('entra', 'filter', 'address'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('replace'),
      group,
      people: fc.uniqueArray(person, { maxLength: PEOPLE }),
      dialect: fc.constantFrom('patch', 'put'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addUnknown'), group, person }) },
)
export type ScimStep = typeof scimStep extends fc.Arbitrary<infer Step> ? Step : never

/** What Campaign Manager's people do by hand. */
export const manualStep = (roles: readonly string[]) => {
  const role = fc.constantFrom(...roles)
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('addRole'), person, role }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('removeRole'), person, role }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeAccount'), person }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('disable'), person }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('changeAccountName'), person }) },
  )
}
export type ManualStep = ReturnType<typeof manualStep> extends fc.Arbitrary<infer Step> ? Step : never

export const adoptableStep = fc.record({
  kind: fc.constant('createAccount'),
  person,
  roles: fc.uniqueArray(fc.constantFrom('Placeholder', ...GROUP_ROLES, ...OTHER_ROLES), {
    minLength: 1,
    maxLength: 2,
  }),
})
export type AdoptableStep = typeof adoptableStep extends fc.Arbitrary<infer Step> ? Step : never

export const workStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('work'), workers: fc.constantFrom('one', 'many', 'both') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resync') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die'), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire') }) },
)
export type WorkStep = typeof workStep extends fc.Arbitrary<infer Step> ? Step : never

function expectStatus(what: object, answer: Answer, ...expected: number[]): void {
  if (expected.includes(answer.status)) return
  const body = JSON.stringify(answer.body)
  throw new Error(`${JSON.stringify(what)} answered ${answer.status}, not ${expected.join(' or ')}: ${body}`)
}

/** Sends what the step says, and does the same to the model. */
export async function performScim(model: Model, { scim }: ModelSystem, step: ScimStep): Promise<void> {
  switch (step.kind) {
    case 'createUser': {
      const name = `p${step.person}`
      const answer = await scim('POST', '/Users', userBody(name))
      expectStatus(step, answer, model.users.has(step.person) ? 409 : 201)
      if (answer.status === 409) return
      model.users.set(step.person, {
        person: step.person,
        id: answer.body.id,
        externalId: `entra-${name}`,
        standing: 'awaiting',
        active: true,
        email: emailOf(step.person, 0),
        name,
        granted: new Set(),
        account: undefined,
        changed: true,
      })
      return
    }
    case 'deleteUser': {
      const user = model.users.get(step.person)
      expectStatus(step, await scim('DELETE', `/Users/${user?.id ?? NOBODY}`), user ? 204 : 404)
      if (user) deleteUser(model, user)
      return
    }
    case 'setActive':
    case 'changeEmail':
    case 'changeName':
      return changeUser(model, scim, step)
    case 'createGroup': {
      if (model.groups.has(step.group)) return
      const taken = isTaken(model, step.role)
      const answer = await scim('POST', '/Groups', groupBody(step.role))
      expectStatus(step, answer, taken ? 409 : 201)
      if (!taken) model.groups.set(step.group, { id: answer.body.id, role: step.role, members: new Set() })
      return
    }
    default:
      return changeGroup(model, scim, step)
  }
}

const isTaken = (model: Model, role: string): boolean =>
  [...model.groups.values()].some((each) => each.role === role)

async function changeUser(
  model: Model,
  scim: ModelSystem['scim'],
  step: ScimStep & { kind: 'setActive' | 'changeEmail' | 'changeName' },
): Promise<void> {
  const user = model.users.get(step.person)
  if (!user) return
  const patch = async (operation: object) =>
    expectStatus(step, await scim('PATCH', `/Users/${user.id}`, patchBody(operation)), 200)
  if (step.kind === 'setActive') {
    const { active } = step
    await patch(
      step.dialect === 'path'
        ? { op: 'Replace', path: 'active', value: active ? 'True' : 'False' }
        : { op: 'replace', value: { active } },
    )
    setActive(user, active)
  } else if (step.kind === 'changeName') {
    await patch({ op: 'Replace', path: 'displayName', value: step.name })
    if (user.name !== step.name) user.changed = true
    user.name = step.name
  } else {
    const email = emailOf(step.person, step.which)
    // An address that another account has is another story: the roles are written without it.
    if ([...model.accounts].some((each) => each.email === email && each.owner !== user)) return
    await patch({ op: 'Replace', path: 'emails[type eq "work"].value', value: email })
    if (user.email !== email) user.changed = true
    user.email = email
  }
}

type GroupStep = Exclude<
  ScimStep,
  { kind: 'createUser' | 'deleteUser' | 'setActive' | 'changeEmail' | 'changeName' | 'createGroup' }
>

async function changeGroup(model: Model, scim: ModelSystem['scim'], step: GroupStep): Promise<void> {
  const group = model.groups.get(step.group)
  if (!group) return
  const path = `/Groups/${group.id}`
  const patch = (...operations: object[]) => scim('PATCH', path, patchBody(...operations))
  switch (step.kind) {
    case 'deleteGroup':
      expectStatus(step, await scim('DELETE', path), 204)
      return removeGroup(model, step.group, group)
    case 'renameGroup': {
      const taken = group.role !== step.role && isTaken(model, step.role)
      const answer = await patch({ op: 'Replace', path: 'displayName', value: step.role })
      expectStatus(step, answer, taken ? 409 : 204)
      if (!taken) renameGroup(group, step.role)
      return
    }
    case 'addUnknown': {
      const known = model.users.get(step.person)
      const value = [...(known ? [{ value: known.id }] : []), { value: NOBODY }]
      const answer = await patch({ op: 'Add', path: 'members', value })
      expectStatus(step, answer, 400)
      if (answer.body.scimType !== 'invalidValue') throw new Error(`scimType ${answer.body.scimType}`)
      return
    }
    default: {
      const users = step.people.flatMap((each) => model.users.get(each) ?? [])
      if (users.length === 0 && step.kind !== 'replace') return
      expectStatus(step, await sendMembers(scim, path, group.role, users, step), 200, 204)
      const chosen = new Set(users)
      if (step.kind === 'add') setMembers(model, group, new Set([...group.members, ...chosen]))
      else if (step.kind === 'remove')
        setMembers(model, group, new Set([...group.members].filter((each) => !chosen.has(each))))
      else setMembers(model, group, chosen)
    }
  }
}

function sendMembers(
  scim: ModelSystem['scim'],
  path: string,
  role: string,
  users: readonly ModelUser[],
  { kind, dialect }: GroupStep & { kind: 'add' | 'remove' | 'replace' },
): Promise<Answer> {
  const members = users.map(({ id, person }) => ({ value: dialect === 'address' ? emailOf(person, 0) : id }))
  const patch = (...operations: object[]) => scim('PATCH', path, patchBody(...operations))
  if (dialect === 'put') return scim('PUT', path, groupBody(role, { members }))
  if (dialect === 'object') return patch({ op: 'add', value: { members } })
  if (dialect === 'many')
    return patch(...members.map((value) => ({ op: 'Add', path: 'members', value: [value] })))
  if (dialect === 'filter') {
    return patch(...members.map(({ value }) => ({ op: 'remove', path: `members[value eq "${value}"]` })))
  }
  return patch({ op: `${kind[0]?.toUpperCase()}${kind.slice(1)}`, path: 'members', value: members })
}

/** Edits the account in Campaign Manager, and in the model, which has to have the same accounts. */
export function performManually(
  model: Model,
  { sandbox }: ModelSystem,
  step: ManualStep | AdoptableStep,
): void {
  const addresses = [emailOf(step.person, 0), emailOf(step.person, 1)]
  const account = [...model.accounts].find(({ email }) => addresses.includes(email))
  if (step.kind === 'createAccount') {
    const user = model.users.get(step.person)
    if (account) return
    const email = user?.email ?? emailOf(step.person, 0)
    sandbox.putUser({ email, roles: step.roles, displayName: 'By Hand', enabled: true })
    model.accounts.add({
      email,
      name: 'By Hand',
      enabled: true,
      roles: new Set(step.roles),
      externalId: undefined,
      owner: undefined,
    })
    return
  }
  const real = account && sandbox.userByEmail(account.email)
  if (!account || !real) return
  if (step.kind === 'removeAccount') {
    sandbox.removeUser(real.id)
    removeAccount(model, account)
    return
  }
  const edit = editOf(account, step)
  if (edit.roles.size === 0) return
  Object.assign(account, edit)
  sandbox.editUser(real.id, {
    roles: [...edit.roles],
    enabled: edit.enabled,
    ...(edit.name !== '' && { displayName: edit.name }),
  })
}

function editOf({ roles, enabled, name }: ModelAccount, step: ManualStep) {
  switch (step.kind) {
    case 'addRole':
      return { roles: new Set([...roles, step.role]), enabled, name }
    case 'removeRole':
      return { roles: new Set([...roles].filter((role) => role !== step.role)), enabled, name }
    case 'disable':
      return { roles, enabled: false, name }
    default:
      return { roles, enabled, name: 'Edited By Hand' }
  }
}
