import { sql } from 'kysely'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { loadConfig } from '../../src/config.ts'
import { createLogger } from '../../src/log.ts'
import { claimDirty } from '../../src/reconcile/dirty-set.ts'
import type { SandboxState } from '../../src/sandbox/state.ts'
import { startService } from '../../src/start.ts'
import { openDatabase } from './database.ts'
import { startSandbox } from './sandbox.ts'
import { type ScimRequest, scimClient } from './scim-client.ts'
import { CAMPAIGN_MANAGER_TOKEN, SCIM_TOKEN } from './service.ts'

export interface DirtyRow {
  readonly user_id: string
  readonly generation: string
  readonly lease: string | null
  readonly failure: string | null
  readonly failure_detail: string | null
}

/** Two processes' worth of service, reconciling when told to, and emptied between two runs. */
export interface ModelSystem {
  readonly scim: ScimRequest
  readonly sandbox: SandboxState
  /** A round of one worker that takes one user at a time, of one that takes many, or of both at once. */
  round(workers: 'one' | 'many' | 'both'): Promise<void>
  markEveryone(): Promise<void>
  /** Takes users as a worker does, and never sees to them. */
  claimAndDie(count: number): Promise<void>
  expireLeases(): Promise<void>
  /** Lets pass what failed attempts and an open circuit wait for. */
  passTime(): Promise<void>
  /** By the user's id. */
  dirty(): Promise<Map<string, DirtyRow>>
  reset(): Promise<void>
}

export async function startModelSystem(
  t: Test,
  env: Readonly<Record<string, string>>,
  roles: readonly string[],
): Promise<ModelSystem> {
  const { db, url } = await openDatabase(t)
  const sandbox = await startSandbox(t, roles)
  let ahead = 0
  const clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() + ahead }
  const start = async (concurrency: number) => {
    const config = loadConfig(
      {
        PORT: '0',
        DATABASE_URL: url,
        CAMPAIGN_MANAGER_URL: sandbox.url,
        CAMPAIGN_MANAGER_TOKEN,
        CAMPAIGN_MANAGER_RATE: '0',
        CAMPAIGN_MANAGER_CONCURRENCY: String(concurrency),
        SCIM_TOKEN,
        RECONCILE: 'off',
        RESYNC_INTERVAL_SECONDS: '0',
        LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
        ...env,
      },
      () => '',
    )
    const running = await startService({ config, clock, log: createLogger({ level: config.logLevel }) })
    t.teardown(() => running.stop())
    return running
  }
  const one = await start(1)
  const many = await start(8)
  return {
    scim: scimClient(one.urls.http ?? '', SCIM_TOKEN),
    sandbox: sandbox.state,
    async round(workers) {
      const rounds = []
      if (workers !== 'many') rounds.push(one.service.worker.runOnce())
      if (workers !== 'one') rounds.push(many.service.worker.runOnce())
      await Promise.all(rounds)
    },
    async markEveryone() {
      await many.service.resync.markEveryone()
    },
    async claimAndDie(count) {
      await claimDirty(db, count)
    },
    async expireLeases() {
      await sql`
        update dirty_user set leased_until = now() - interval '1 second' where lease is not null`.execute(db)
    },
    async passTime() {
      ahead += 600_000
      await sql`update dirty_user set not_before = now()`.execute(db)
      await sql`update account set missing_since = missing_since - interval '1 minute'`.execute(db)
      // A creation that was never answered is waited for, ten minutes long.
      await sql`update account set write_pending_since = write_pending_since - interval '10 minutes'`.execute(
        db,
      )
    },
    async dirty() {
      const { rows } = await sql<DirtyRow>`
        select user_id, generation, lease, failure, failure_detail from dirty_user`.execute(db)
      return new Map(rows.map((row) => [row.user_id, row]))
    },
    async reset() {
      ahead += 600_000
      sandbox.state.faults.clear()
      for (const { id } of sandbox.state.users()) sandbox.state.removeUser(id)
      sandbox.state.resetRequests()
      await db.transaction().execute(async (trx) => {
        await sql`delete from dirty_user`.execute(trx)
        await sql`delete from scim_group`.execute(trx)
        await sql`delete from scim_user`.execute(trx)
        await sql`delete from account`.execute(trx)
        // Or the deletions of many runs together would be too many.
        await sql`delete from account_deletion`.execute(trx)
      })
    },
  }
}
