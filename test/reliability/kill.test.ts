// The service is killed (SIGKILL) between any two of its calls to Postgres and Campaign Manager and started again. CI tries
// every STRIDE-th boundary, beginning at another one in each scenario (KILL_OFFSET shifts them). KILL_STRIDE=n tries every
// n-th, KILL_ALL=1 every one, about a thousand kills.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type KillRun, startKillRun } from '../support/kill-run.ts'
import {
  addMembers,
  groupBody,
  patchBody,
  removeMembers,
  type ScimRequest,
  setActive,
  userBody,
} from '../support/scim-client.ts'

const CI_STRIDE = 97
const ALL = process.env.KILL_ALL === '1'
const STRIDE = ALL ? 1 : Number(process.env.KILL_STRIDE ?? CI_STRIDE)
const OFFSET = Number(process.env.KILL_OFFSET ?? 0)
/** No scenario has that many; a run that never completes would be an error of its own. */
const MOST_BOUNDARIES = 1000

t.setTimeout(STRIDE < CI_STRIDE ? 7_200_000 : 300_000)

interface Person {
  readonly name: string
  readonly email: string
  id: string
}

interface Groups {
  readonly editor: string
  readonly viewer: string
}

interface Step {
  readonly run: KillRun
  readonly scim: ScimRequest
  readonly person: Person
  readonly groups: Groups
}

interface Scenario {
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

const scenarios: readonly Scenario[] = [
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
]

const folder = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-kill-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
// One for all scenarios, because a start is what takes the time; the people are others each time.
const run = await startKillRun(t, folder)

for (const [index, scenario] of scenarios.entries()) {
  t.test(`killed while ${scenario.name}`, async (t) => {
    let kills = 0
    let k = 1 + ((OFFSET + index * 7) % STRIDE)
    for (; k < MOST_BOUNDARIES; k += STRIDE) {
      const killed = await runScenario(t, scenario, `person-${index}-${k}`, k)
      if (!killed) break
      kills += 1
      if (!ALL && !t.passing()) break
    }
    t.ok(k < MOST_BOUNDARIES, 'the scenario comes to its end when nothing kills it')
    t.same(run.sandbox.state.overlappingWrites(), [], 'no two writes to one account at a time')
    run.sandbox.state.resetRequests()
    t.comment(`${kills} kills tried`)
  })
}

/** Returns whether the service was killed. */
async function runScenario(t: Test, scenario: Scenario, name: string, k: number): Promise<boolean> {
  const person: Person = { name, email: `${name}@example.com`, id: '' }
  const groups = {
    editor: await ensureGroup(run, 'Campaign Editor'),
    viewer: await ensureGroup(run, 'Campaign Viewer'),
  }
  const step: Step = { run, scim: run.scim, person, groups }
  await scenario.prepare?.(step)
  await run.converge()

  const deathsBefore = run.deaths
  await run.arm(k)
  await scenario.act(step)
  await run.converge()
  await run.arm(undefined)
  // Armed, it may have died after its work was done and before it was disarmed; then it starts again here.
  await run.scim('GET', `/Users/${person.id}`)
  const killed = run.deaths > deathsBefore

  const foreign = scenario.foreign ?? []
  const at = killed ? `killed at boundary ${k}` : `not killed by boundary ${k}`
  t.same(await outcome(run, person), expectedOutcome(scenario, person, scenario.granted, foreign), at)
  // Had one of our roles become foreign, the account would outlive the last group.
  if (!scenario.deleted) {
    await remove(step, groups.editor)
    await remove(step, groups.viewer)
    await run.converge()
    const left = expectedOutcome(scenario, person, [], foreign)
    t.same(await outcome(run, person), left, `${at}: only foreign roles outlive the last group`)
  }
  for (const id of Object.values(groups)) expectStatus(await run.scim('DELETE', `/Groups/${id}`), 204)
  await run.converge()
  return killed
}

/** What is to be seen of a person in Campaign Manager and in the directory. */
async function outcome(run: KillRun, person: Person): Promise<object> {
  const accounts = accountsOf(run, person)
  const row = await run.account(person.id)
  return {
    accounts: accounts.map(({ email, externalId, enabled, roles }) => ({
      email,
      externalId,
      enabled,
      roles: [...roles].sort(),
    })),
    row: row && {
      linked: row.campaign_manager_id !== null && row.campaign_manager_id === accounts[0]?.id,
      granted: [...row.granted].sort(),
      foreign: [...row.foreign_roles].sort(),
    },
  }
}

function expectedOutcome(
  { deleted }: Scenario,
  person: Person,
  granted: readonly string[],
  foreign: readonly string[],
): object {
  const roles = [...foreign, ...granted].sort()
  const account = { email: person.email, externalId: `entra-${person.name}`, enabled: true, roles }
  const row = { linked: roles.length > 0, granted: [...granted].sort(), foreign: [...foreign].sort() }
  return { accounts: roles.length > 0 ? [account] : [], row: deleted ? undefined : row }
}

function accountsOf({ sandbox }: KillRun, { name, email }: Person) {
  return sandbox.state.users().filter((user) => user.email === email || user.externalId === `entra-${name}`)
}

function expectStatus(answer: { status: number; body: unknown }, ...statuses: number[]): void {
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

function ensureGroup({ scim }: KillRun, name: string): Promise<string> {
  return ensure(scim, '/Groups', `displayName eq "${name}"`, groupBody(name))
}

async function add({ scim, person }: Step, groupId: string): Promise<void> {
  expectStatus(await scim('PATCH', `/Groups/${groupId}`, addMembers(person.id)), 204)
}

async function remove({ scim, person }: Step, groupId: string): Promise<void> {
  expectStatus(await scim('PATCH', `/Groups/${groupId}`, removeMembers(person.id)), 204)
}

async function active({ scim, person }: Step, value: boolean): Promise<void> {
  expectStatus(await scim('PATCH', `/Users/${person.id}`, setActive(value)), 200)
}

async function rename({ scim }: Step, groupId: string, displayName: string): Promise<void> {
  const body = patchBody({ op: 'Replace', path: 'displayName', value: displayName })
  expectStatus(await scim('PATCH', `/Groups/${groupId}`, body), 204)
}
