import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Test } from 'tap'
import { createDatabase } from './database.ts'
import { type ListeningSandbox, startSandbox } from './sandbox.ts'
import type { Answer, ScimRequest } from './scim-client.ts'
import { type ServiceProcess, startServiceProcess } from './service-process.ts'
import { until } from './until.ts'

const KILLER = fileURLToPath(new URL('./kill-at.ts', import.meta.url))

export interface AccountRow {
  readonly standing: string
  readonly campaign_manager_id: string | null
  readonly granted: string[]
  readonly foreign_roles: string[]
}

/** A service that dies at a given boundary and is started again, on one database and one Campaign Manager. */
export interface KillRun {
  readonly databaseUrl: string
  readonly sandbox: ListeningSandbox
  /** Sends a request until it is answered, starting the service again when it has died. */
  readonly scim: ScimRequest
  /** From now on the service dies at its k-th boundary; undefined: it lives. */
  arm(k: number | undefined): Promise<void>
  /** Waits until every change has reached Campaign Manager, starting the service again when it has died. */
  converge(): Promise<void>
  /**
   * Waits until every change has reached Campaign Manager or the service has died. Then it is not started again to
   * reconcile before `converge`: what is asked of it in between is committed before it looks at what it left undone.
   */
  convergeOrDie(): Promise<void>
  readonly deaths: number
  account(userId: string): Promise<AccountRow | undefined>
}

export interface KillRunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Users who wait for this reason have nothing more to come. */
  readonly parked?: string
}

/** @param folder for a file that lives as long as the test */
export async function startKillRun(
  t: Test,
  folder: string,
  { env, parked }: KillRunOptions = {},
): Promise<KillRun> {
  const { url } = await createDatabase(t)
  const sandbox = await startSandbox(t)
  const killFile = `${folder}/kill-at`
  const client = new pg.Client({ connectionString: url, application_name: 'kill-run' })
  // The end of the test drops the database whoever is connected.
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())

  let round = 0
  let deaths = 0
  let onlyAnswers = false
  const start = () =>
    startServiceProcess(t, {
      databaseUrl: url,
      campaignManagerUrl: sandbox.url,
      nodeArgs: ['--import', KILLER],
      env: { ...env, KILL_AT_FILE: killFile, RECONCILE: onlyAnswers ? 'off' : 'on' },
    })
  let service: ServiceProcess = await start()

  const isDead = () => service.child.signalCode !== null || service.child.exitCode !== null

  async function revive(): Promise<void> {
    const { signal, status, stderr } = await service.ended
    if (signal !== 'SIGKILL') throw new Error(`the service ended by itself, status ${status}: ${stderr}`)
    deaths += 1
    await arm(undefined)
    await until('the dead process has left Postgres', async () => {
      const { rowCount } = await client.query(
        `select from pg_stat_activity where datname = current_database() and application_name <> 'kill-run'
         and backend_type = 'client backend'`,
      )
      return rowCount === 0
    })
    // What it had claimed would be due again after the lease's 60 seconds; here at once.
    await client.query(
      `update dirty_user set leased_until = now() - interval '1 second' where lease is not null`,
    )
    service = await start()
  }

  async function arm(k: number | undefined): Promise<void> {
    round += 1
    if (k === undefined) await rm(killFile, { force: true })
    else await writeFile(killFile, `${round} ${k}`)
  }

  async function scim(...request: Parameters<ScimRequest>): Promise<Answer> {
    for (;;) {
      if (isDead()) await revive()
      try {
        return await service.scim(...request)
      } catch (error) {
        // No answer: whoever asked cannot know whether it was done. The process is dead, or this is no test of kills.
        await until('the silent service is dead', isDead, () => String((error as Error).cause ?? error))
      }
    }
  }

  const left = async () =>
    (
      await client.query(
        `select user_id, lease, attempts, failure, failure_detail from dirty_user
         where failure is distinct from $1 or not_before <= now() or lease is not null`,
        [parked ?? ''],
      )
    ).rows

  async function convergeOrDie(): Promise<void> {
    await until(
      'every change has reached Campaign Manager, or the service is dead',
      async () => isDead() || (await left()).length === 0,
      left,
    )
    onlyAnswers = isDead()
  }

  async function converge(): Promise<void> {
    if (onlyAnswers) {
      onlyAnswers = false
      service.child.kill('SIGTERM')
      await service.ended
      service = await start()
    }
    await until(
      'every change has reached Campaign Manager',
      async () => {
        if (isDead()) await revive()
        const rows = await left()
        // A failure waits for its back-off, which is not what is tested.
        if (rows.length > 0 && rows.every((row) => row.lease === null && row.failure !== null)) {
          await client.query('update dirty_user set not_before = now() where failure is distinct from $1', [
            parked ?? '',
          ])
          await client.query("update account set missing_since = missing_since - interval '1 minute'")
        }
        return rows.length === 0
      },
      left,
    )
  }

  return {
    databaseUrl: url,
    sandbox,
    scim,
    arm,
    converge,
    convergeOrDie,
    get deaths() {
      return deaths
    },
    async account(userId) {
      const { rows } = await client.query(
        'select standing, campaign_manager_id, granted, foreign_roles from account where user_id = $1',
        [userId],
      )
      return rows[0]
    },
  }
}
