import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type KillRun, startKillRun } from '../support/kill-run.ts'
import { ensureGroup, expectStatus, type Person, remove, type Scenario, type Step } from './kill-scenarios.ts'

/** No scenario has that many boundaries; a run that never completes would be an error of its own. */
const MOST_BOUNDARIES = 1000

/** Which boundaries of a scenario are tried: every `stride`-th from `first` on, until one lies beyond its end, or `most`. */
export interface Boundaries {
  readonly first: number
  readonly stride: number
  readonly most: number
}

/** A service on a database of its own. One serves many scenarios, because a start is what takes the time. */
export async function startKilledService(t: Test): Promise<KillRun> {
  const folder = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-kill-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // Everybody of one run after the other is deleted, which is no mistake of Entra's.
  return startKillRun(t, folder, { env: { DELETION_GUARD_COUNT: '1000000' } })
}

/**
 * Kills the service (SIGKILL) between two of its calls to Postgres and Campaign Manager and starts it again, at one boundary
 * after the other; the outcome is the same each time. Returns how often it was killed.
 */
export async function killAtEach(
  t: Test,
  run: KillRun,
  scenario: Scenario,
  { first, stride, most }: Boundaries,
): Promise<number> {
  let kills = 0
  let k = first
  let isOver = false
  for (let tries = 0; !isOver && tries < most && k < MOST_BOUNDARIES; tries += 1, k += stride) {
    started += 1
    const killed = await runScenario(t, run, scenario, `person-${started}-${k}`, k)
    if (killed) kills += 1
    isOver = !killed
  }
  t.ok(k < MOST_BOUNDARIES, 'the scenario comes to its end when nothing kills it')
  t.same(run.sandbox.state.overlappingWrites(), [], 'no two writes to one account at a time')
  run.sandbox.state.resetRequests()
  t.comment(`${kills} kills tried`)
  return kills
}

let started = 0

/** Returns whether the service was killed. */
async function runScenario(
  t: Test,
  run: KillRun,
  scenario: Scenario,
  name: string,
  k: number,
): Promise<boolean> {
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
  for (const id of Object.values(groups)) expectStatus(await run.scim('DELETE', `/Groups/${id}`), 204, 404)
  // Nobody is left: where everybody is compared, each run would otherwise have more boundaries than the one before, without end.
  expectStatus(await run.scim('DELETE', `/Users/${person.id}`), 204, 404)
  await run.converge()
  t.same(await outcome(run, person), { accounts: [], row: undefined }, `${at}: nothing outlives the person`)
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
