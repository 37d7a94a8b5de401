import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { CAMPAIGN_MANAGER_TOKEN, SCIM_TOKEN } from '../support/service.ts'
import { until } from '../support/until.ts'
import type { Version } from './versions.ts'

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly message: string }
  readonly http?: string
  readonly metrics?: string
}

export interface VersionProcess {
  /** Its version's name and its own number. */
  readonly label: string
  readonly version: Version
  /** Where it answers: an API process SCIM, a reconciler its metrics. */
  readonly url: string
  readonly ended: Promise<Ended>
  readonly log: readonly LogLine[]
  signal(name: NodeJS.Signals): void
}

export interface Surroundings {
  readonly databaseUrl: string
  readonly campaignManagerUrl: string
}

const ERROR = 50

/** The versions' folders are of one run, and so is what is compiled of them: what all runs share would only grow. */
const compileCache = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-compiled-'))
t.teardown(() => rm(compileCache, { recursive: true, force: true }))

/** What it logged at level error or above, each thing once. */
export const errorsOf = ({ label, log }: VersionProcess): string[] => {
  const errors = log.filter(({ level }) => level >= ERROR)
  return [...new Set(errors.map(({ msg, err }) => `${label}: ${msg}: ${err?.message}`))]
}

/** How many accounts it has brought in line. */
export const countReconciled = (process: VersionProcess): number =>
  process.log.filter(({ msg }) => msg === 'account reconciled').length

export const startApi = (t: Test, label: string, version: Version, surroundings: Surroundings) =>
  startService(t, label, version, surroundings, { RECONCILE: 'off' })

export const startReconciler = (t: Test, label: string, version: Version, surroundings: Surroundings) =>
  startService(t, label, version, surroundings, { HTTP: 'off', METRICS_PORT: '0' })

/** Runs a command of a version to its end. */
export const runVersion = (
  t: Test,
  version: Version,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<Ended> => spawnVersion(t, version, args, environment(surroundings)).ended

/** Resolves once it listens; whether it is ready is for its probe to say. */
async function startService(
  t: Test,
  label: string,
  version: Version,
  surroundings: Surroundings,
  settings: Readonly<Record<string, string>>,
): Promise<VersionProcess> {
  const process = spawnVersion(t, version, ['serve'], { ...environment(surroundings), ...settings })
  const started = await until(
    `${label} has started`,
    async () => {
      if (process.hasEnded()) throw new Error(`${label} did not start: ${(await process.ended).stderr}`)
      return process.log.find(({ msg }) => msg === 'service started')
    },
    () => process.output,
  )
  const url = started.http ?? started.metrics ?? ''
  return { label, version, url, log: process.log, ended: process.ended, signal: process.signal }
}

const environment = ({ databaseUrl, campaignManagerUrl }: Surroundings): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  NODE_COMPILE_CACHE: compileCache,
  PORT: '0',
  DATABASE_URL: databaseUrl,
  CAMPAIGN_MANAGER_URL: campaignManagerUrl,
  CAMPAIGN_MANAGER_TOKEN,
  CAMPAIGN_MANAGER_RATE: '0',
  CAMPAIGN_MANAGER_CONCURRENCY: '3',
  SCIM_TOKEN,
  // Often enough that resyncs of both versions come while they work side by side.
  RESYNC_INTERVAL_SECONDS: '3',
})

function spawnVersion(t: Test, version: Version, args: readonly string[], env: Record<string, string>) {
  const main = join(version.folder, 'src/main.ts')
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  const log: LogLine[] = []
  for (const name of ['stdout', 'stderr'] as const) {
    createInterface(child[name]).on('line', (line) => {
      output[name] += `${line}\n`
      if (name === 'stdout' && line.startsWith('{')) log.push(JSON.parse(line))
    })
  }
  let over = false
  const ended = once(child, 'close').then(([status]): Ended => {
    over = true
    return { status, ...output }
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { output, log, ended, hasEnded: () => over, signal: (name: NodeJS.Signals) => void child.kill(name) }
}
