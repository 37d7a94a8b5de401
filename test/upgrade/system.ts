import type { Test } from 'tap'
import { createEmptyDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import { scimClient } from '../support/scim-client.ts'
import { SCIM_TOKEN } from '../support/service.ts'
import { until } from '../support/until.ts'
import { Front } from './front.ts'
import { roles } from './traffic.ts'
import {
  countReconciled,
  type Ended,
  runVersion,
  startApi,
  startReconciler,
  type VersionProcess,
} from './version-process.ts'
import type { Version } from './versions.ts'

/** UPGRADE_PRE_STOP=on: for versions that stop answering as soon as they are asked to. */
const takesOutBeforeStop = process.env.UPGRADE_PRE_STOP === 'on'

/** Processes of several versions on one database and one Campaign Manager, with a front before those that answer. */
export async function setUp(t: Test) {
  const { url: databaseUrl } = await createEmptyDatabase(t)
  const { state, url: campaignManagerUrl } = await startSandbox(t, roles)
  const surroundings = { databaseUrl, campaignManagerUrl }
  const front = await Front.start(t)
  const processes: VersionProcess[] = []

  return {
    databaseUrl,
    sandbox: state,
    front,
    /** Every one that ever started. */
    processes,
    scim: scimClient(front.url, SCIM_TOKEN),
    run: (version: Version, ...args: string[]): Promise<Ended> => runVersion(t, version, args, surroundings),

    /** Resolves once it is ready. */
    async startApi(label: string, version: Version): Promise<VersionProcess> {
      const process = await startApi(t, label, version, surroundings)
      processes.push(process)
      await front.add(process)
      return process
    },

    async startReconciler(label: string, version: Version): Promise<VersionProcess> {
      const process = await startReconciler(t, label, version, surroundings)
      processes.push(process)
      return process
    },

    async stop({ label, signal, ended }: VersionProcess): Promise<void> {
      if (takesOutBeforeStop) await front.takeOut(label)
      signal('SIGTERM')
      t.equal((await ended).status, 0, `${label} stops in time`)
    },

    /** The roles of every account, by address. */
    accounts: (): Record<string, string[]> =>
      Object.fromEntries(state.users().map(({ email, roles }) => [email, roles.toSorted()])),

    /** Resolves when each of them has answered, or brought accounts in line, some more times. */
    async working(...those: VersionProcess[]): Promise<void> {
      const before = those.map((process) => countWork(front, process))
      await until(
        'each of them works',
        () => those.every((process, index) => countWork(front, process) >= (before[index] ?? 0) + 3),
        () => those.map((process) => ({ label: process.label, work: countWork(front, process) })),
      )
    },
  }
}

const countWork = (front: Front, process: VersionProcess): number =>
  front.answered(process.label) + countReconciled(process)
