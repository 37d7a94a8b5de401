import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/** Which users a lane is for: those from whom access is taken away, and those whose last attempt failed. */
export interface Lane {
  readonly removal: boolean
  readonly failed: boolean
}

const newRemovals: Lane = { removal: true, failed: false }
const newGrants: Lane = { removal: false, failed: false }
const failedRemovals: Lane = { removal: true, failed: true }
const failedGrants: Lane = { removal: false, failed: true }

/**
 * In what order users are claimed. Most of the time those that never failed come first, so that no number of accounts that
 * cannot be mended keeps a new change waiting; now and then those that failed do, so that no number of new changes keeps them
 * waiting. Either way removals come before grants.
 */
export const LANES = {
  fresh: [newRemovals, newGrants, failedRemovals, failedGrants],
  failed: [failedRemovals, newRemovals, failedGrants, newGrants],
} as const satisfies Record<string, readonly Lane[]>

export type LaneOrder = keyof typeof LANES

/** A tenant that is served, and the lanes in which somebody of it is due. */
export interface TenantState {
  readonly tenantId: number
  readonly settingsVersion: number
  readonly due: readonly Lane[]
}

/**
 * Rows of a tenant's lane that could be claimed now, in order. Compared as whole keys of the index: of equal columns a planner
 * without statistics expects few rows, and then reads and sorts all there are where a limit would have read the first ones.
 */
export const claimable = (tenant: string, { removal, failed }: Lane) => {
  const key = sql`(dirty_user.removal, dirty_user.failed, dirty_user.tenant_id, dirty_user.not_before)`
  const lane = sql`${sql.lit(removal)}, ${sql.lit(failed)}, ${sql.ref(tenant)}`
  return sql`
    where ${key} >= (${lane}, timestamptz '-infinity') and ${key} <= (${lane}, now())
      and (dirty_user.leased_until is null or dirty_user.leased_until < now())
    order by dirty_user.removal, dirty_user.failed, dirty_user.tenant_id, dirty_user.not_before, dirty_user.user_id`
}

/** All tenants that are served, with the version of their settings: one look for a round of claims. */
export async function listTenantStates(db: Kysely<Database>): Promise<TenantState[]> {
  const due = LANES.fresh.map(
    (each, index) => sql`
      exists (select from (
        select from dirty_user ${claimable('tenant.tenant_id', each)} limit 1
      ) as first) as ${sql.ref(`lane_${index}`)}`,
  )
  const { rows } = await sql<{ tenant_id: number; settings_version: number } & Record<string, unknown>>`
    select tenant_id, settings_version, ${sql.join(due)}
    from tenant where disabled_at is null order by tenant_id`.execute(db)
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    settingsVersion: row.settings_version,
    due: LANES.fresh.filter((_, index) => row[`lane_${index}`] === true),
  }))
}

/**
 * Of which tenants to claim next: those with somebody due in the first lanes, and among equals each in its turn.
 *
 * @param last the tenant that had its turn last
 */
export function inTurn(
  tenants: readonly TenantState[],
  places: number,
  order: LaneOrder,
  last: number,
): number[] {
  const rank = ({ due }: TenantState): number => LANES[order].findIndex((each) => due.includes(each))
  const waits = ({ tenantId }: TenantState): number => (tenantId > last ? 0 : 1)
  return tenants
    .filter(({ due }) => due.length > 0)
    .sort((a, b) => rank(a) - rank(b) || waits(a) - waits(b) || a.tenantId - b.tenantId)
    .slice(0, places)
    .map(({ tenantId }) => tenantId)
}
