import { connect } from '../../src/db/connect.ts'
import { markEveryone } from '../../src/reconcile/mark-users.ts'
import type { KillRun } from '../support/kill-run.ts'
import {
  addMembers,
  groupBody,
  patchBody,
  removeMembers,
  type ScimRequest,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { log } from '../support/test-run.ts'

export interface Person {
  readonly name: string
  readonly email: string
  id: string
}

export interface Groups {
  readonly editor: string
  readonly viewer: string
}

export interface Step {
  readonly run: KillRun
  readonly scim: ScimRequest
  readonly person: Person
  readonly groups: Groups
}

export interface Scenario {
  readonly name: string
  /** What was there before, unharmed. */
  prepare?(step: Step): Promise<void>
  act(step: Step): Promise<void>
  /** The roles that the account is to hold for the person's groups. */
  readonly granted: readonly string[]
  /** The roles that it holds beside them; with neither there is to be no account. */
  readonly foreign?: readonly string[]
  readonly deleted?: true
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'a user is created and added to a group',
    async act(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    granted: ['Campaign Editor'],
  },
  {
    name: 'a user moves from one group to another',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      await remove(step, step.groups.editor)
      await add(step, step.groups.viewer)
    },
    granted: ['Campaign Viewer'],
  },
  {
    name: 'a user loses the last group',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      await active(step, false)
      await remove(step, step.groups.editor)
    },
    granted: [],
  },
  {
    name: 'a user gets a second group',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    act: (step) => add(step, step.groups.viewer),
    granted: ['Campaign Editor', 'Campaign Viewer'],
  },
  {
    // What was written and not recorded is no longer wanted when the service looks again.
    name: 'a second group is given and taken back',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      await add(step, step.groups.viewer)
      await step.run.convergeOrDie()
      await remove(step, step.groups.viewer)
    },
    granted: ['Campaign Editor'],
  },
  {
    name: 'an existing account is adopted with its roles',
    async prepare({ run, person }) {
      run.sandbox.state.putUser({ email: person.email, roles: ['Analyst', 'Agents'] })
    },
    async act(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    foreign: ['Analyst', 'Agents'],
    granted: ['Campaign Editor'],
  },
  {
    name: 'an existing account is adopted that holds the role of the group',
    async prepare({ run, person }) {
      run.sandbox.state.putUser({ email: person.email, roles: ['Analyst', 'Campaign Editor'] })
    },
    async act(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    foreign: ['Analyst'],
    granted: ['Campaign Editor'],
  },
  {
    name: 'a user is deleted',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act({ scim, person }) {
      // A second answer of 404 means that the first request was carried out.
      expectStatus(await scim('DELETE', `/Users/${person.id}`), 204, 404)
    },
    granted: [],
    deleted: true,
  },
  {
    name: 'a group is renamed and renamed back',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      await rename(step, step.groups.editor, 'Campaign Approver')
      await step.run.convergeOrDie()
      await rename(step, step.groups.editor, 'Campaign Editor')
    },
    granted: ['Campaign Editor'],
  },
  {
    name: 'a group is renamed',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    act: (step) => rename(step, step.groups.editor, 'Supervisors'),
    granted: ['Supervisors'],
  },
  {
    name: 'a released user is reactivated and joins a group',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
      await active(step, false)
      await remove(step, step.groups.editor)
    },
    async act(step) {
      await active(step, true)
      await add(step, step.groups.viewer)
    },
    granted: ['Campaign Viewer'],
  },
  {
    name: 'a group is unassigned and its members are assigned to another',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      await active(step, false)
      expectStatus(await step.scim('DELETE', `/Groups/${step.groups.editor}`), 204, 404)
      await active(step, true)
      await add(step, step.groups.viewer)
    },
    granted: ['Campaign Viewer'],
  },
  {
    name: 'a user is created and added to a group in bulk',
    async act(step) {
      const { person, groups, scim } = step
      const { status, body } = await scim('POST', '/Bulk', {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
        Operations: [
          { method: 'POST', path: '/Users', bulkId: 'person', data: userBody(person.name) },
          { method: 'PATCH', path: `/Groups/${groups.editor}`, data: addMembers('bulkId:person') },
        ],
      })
      expectStatus({ status, body }, 200)
      // A bulk request that was not answered and is sent again finds what it created.
      await create(step)
      await add(step, groups.editor)
    },
    granted: ['Campaign Editor'],
  },
  {
    name: 'an account edited by hand is put back',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      const { id } = accountOf(step)
      const edit = { enabled: false, roles: ['Analyst'], displayName: 'Edited By Hand' }
      step.run.sandbox.state.editUser(id, edit)
      await resync(step)
    },
    foreign: ['Analyst'],
    granted: ['Campaign Editor'],
  },
  {
    name: 'an account deleted by hand is created again',
    async prepare(step) {
      await create(step)
      await add(step, step.groups.editor)
    },
    async act(step) {
      step.run.sandbox.state.removeUser(accountOf(step).id)
      await resync(step)
    },
    granted: ['Campaign Editor'],
  },
]

export function expectStatus(answer: { status: number; body: unknown }, ...statuses: number[]): void {
  if (statuses.includes(answer.status)) return
  throw new Error(`answered ${answer.status}, not ${statuses.join(' or ')}: ${JSON.stringify(answer.body)}`)
}

/** As Entra does it: looks first, and takes a 409 to mean that an earlier request was carried out. */
async function ensure(scim: ScimRequest, collection: string, match: string, body: object): Promise<string> {
  for (;;) {
    const found = await scim('GET', `${collection}?filter=${encodeURIComponent(match)}`)
    expectStatus(found, 200)
    if (found.body.totalResults > 0) return found.body.Resources[0].id
    const created = await scim('POST', collection, body)
    expectStatus(created, 201, 409)
    if (created.status === 201) return created.body.id
  }
}

async function create({ scim, person }: Step): Promise<void> {
  person.id = await ensure(scim, '/Users', `userName eq "${person.email}"`, userBody(person.name))
}

export function ensureGroup({ scim }: KillRun, name: string): Promise<string> {
  return ensure(scim, '/Groups', `displayName eq "${name}"`, groupBody(name))
}

async function add({ scim, person }: Step, groupId: string): Promise<void> {
  expectStatus(await scim('PATCH', `/Groups/${groupId}`, addMembers(person.id)), 204)
}

/** Done as well when the group is gone. */
export async function remove({ scim, person }: Step, groupId: string): Promise<void> {
  expectStatus(await scim('PATCH', `/Groups/${groupId}`, removeMembers(person.id)), 204, 404)
}

async function active({ scim, person }: Step, value: boolean): Promise<void> {
  expectStatus(await scim('PATCH', `/Users/${person.id}`, setActive(value)), 200)
}

async function rename({ scim }: Step, groupId: string, displayName: string): Promise<void> {
  const body = patchBody({ op: 'Replace', path: 'displayName', value: displayName })
  expectStatus(await scim('PATCH', `/Groups/${groupId}`, body), 204)
}

function accountOf({ run, person }: Step): { id: string } {
  const account = run.sandbox.state.userByEmail(person.email)
  if (account === undefined) throw new Error(`${person.name} has no account`)
  return account
}

/** Marks everybody, as a resync does that has found something wrong with each. */
async function resync({ run }: Step): Promise<void> {
  const { db, close } = connect({ url: run.databaseUrl, log, poolMax: 1 })
  try {
    await markEveryone(db)
  } finally {
    await close()
  }
}
