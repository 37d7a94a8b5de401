import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import type { Duty } from './worker.ts'

export interface ResyncOptions {
  readonly db: Kysely<Database>
  /** 0 = never. */
  readonly intervalSeconds: number
  readonly onDirty: () => void
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void }
}

export interface Resync extends Duty {
  /** Marks every user of every tenant, whatever the time. */
  markEveryone(): Promise<number>
}

/** How often a process looks whether a resync is due; the due time itself is kept in Postgres, for all processes. */
const LOOK_MS = 15_000

/**
 * Marks every user dirty once per interval, so that what was changed by hand in Campaign Manager is noticed and put
 * back. One process does it for all; work that is already waiting is left as it is. Accounts are locked while they are
 * marked, because one that is finished at that moment is gone.
 */
export function createResync({ db, intervalSeconds, onDirty, log }: ResyncOptions): Resync {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  async function runOnce(): Promise<number> {
    if (intervalSeconds === 0) return 0
    await scheduleTenants()
    let marked = 0
    for (let found = await resyncDueTenant(); found !== undefined; found = await resyncDueTenant()) {
      marked += found.marked
      log.info(found, 'resync: every account will be compared with Campaign Manager')
    }
    if (marked > 0) onDirty()
    return marked
  }

  /** The first resync of a tenant comes after one interval, spread so that tenants do not come together. */
  const scheduleTenants = () =>
    sql`
      insert into duty (tenant_id, name, next_run_at)
      select tenant_id, 'resync', now() + make_interval(secs => ${intervalSeconds} * (0.5 + random() / 2))
      from tenant on conflict do nothing`.execute(db)

  async function resyncDueTenant(): Promise<{ tenantId: number; marked: number } | undefined> {
    const { rows } = await sql<{ tenant_id: number; marked: string }>`
      with due as (
        select tenant_id from duty where name = 'resync' and next_run_at <= now()
        limit 1 for update skip locked
      ), scheduled as (
        update duty set next_run_at = now() + make_interval(secs => ${intervalSeconds} * (0.9 + random() / 5))
        from due where duty.tenant_id = due.tenant_id and duty.name = 'resync'
        returning duty.tenant_id
      ), marked as (
        insert into dirty_user (tenant_id, user_id)
        select account.tenant_id, account.user_id from account join scheduled using (tenant_id)
        order by account.user_id
        for no key update of account
        on conflict do nothing
        returning tenant_id
      )
      select scheduled.tenant_id, (select count(*) from marked) as marked from scheduled`.execute(db)
    const row = rows[0]
    return row && { tenantId: row.tenant_id, marked: Number(row.marked) }
  }

  async function markEveryone(): Promise<number> {
    const { numAffectedRows } = await sql`
      insert into dirty_user (tenant_id, user_id)
      select tenant_id, user_id from account order by user_id for no key update
      on conflict do nothing`.execute(db)
    onDirty()
    return Number(numAffectedRows)
  }

  function look(): void {
    running = runOnce().catch((error) => log.error({ err: error }, 'resync failed'))
  }

  return {
    start() {
      if (intervalSeconds === 0 || timer) return
      timer = setInterval(look, Math.min(LOOK_MS, intervalSeconds * 1000))
    },
    async stop() {
      clearInterval(timer)
      await running
    },
    runOnce,
    markEveryone,
  }
}
