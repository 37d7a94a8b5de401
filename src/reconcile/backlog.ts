import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'

export interface Backlog {
  readonly pending: number
  readonly failing: number
  readonly oldestSeconds: number
  /** Age of the oldest change that takes access away and is not confirmed. */
  readonly oldestRemovalSeconds: number
}

/** Of the tenants that are served: the work of a disabled one waits because somebody wants it to. */
export async function measureBacklog(db: Kysely<Database>): Promise<Backlog> {
  const { rows } = await sql<{ pending: string; failing: string; oldest: number; oldest_removal: number }>`
    select count(*) as pending, count(failure) as failing,
           coalesce(extract(epoch from now() - min(dirty_since)), 0)::float8 as oldest,
           coalesce(extract(epoch from now() - min(removal_since)), 0)::float8 as oldest_removal
    from dirty_user join tenant using (tenant_id)
    where tenant.disabled_at is null`.execute(db)
  const row = rows[0]
  return {
    pending: Number(row?.pending ?? 0),
    failing: Number(row?.failing ?? 0),
    oldestSeconds: row?.oldest ?? 0,
    oldestRemovalSeconds: row?.oldest_removal ?? 0,
  }
}
