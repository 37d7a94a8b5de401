import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { joinUserNames, knownUserName } from '../db/user-name.ts'

/** A user whose account Campaign Manager has not confirmed to be as the directory says. */
export interface WaitingUser {
  readonly tenant: string
  readonly isTenantDisabled: boolean
  readonly userId: string
  /** The last one, of somebody who is deleted; null once that was erased. */
  readonly userName: string | null
  readonly since: Date
  /** Whether access is to be taken away. */
  readonly removal: boolean
  /** Why the last attempt came to nothing; null when there was none. */
  readonly failure: string | null
  readonly detail: string | null
}

export interface WaitingQuery {
  readonly tenant?: string | undefined
  /** Only these, by tenant; without: everybody. */
  readonly users?: ((tenantId: number) => Promise<readonly string[]>) | undefined
  /** A failure; who waits because of it is left out. */
  readonly except?: string
  readonly limit: number
}

/** Removals first, then who has waited longest. `total` counts those beyond the limit too. */
export async function listWaiting(
  db: Kysely<Database>,
  { tenant, users, except, limit }: WaitingQuery,
): Promise<{ waiting: WaitingUser[]; total: number }> {
  const asked = users && (await usersOfEach(db, users))
  const { rows } = await sql<WaitingUser & { total: string }>`
    select tenant.name as tenant, tenant.disabled_at is not null as "isTenantDisabled",
      dirty_user.user_id as "userId", ${knownUserName} as "userName",
      dirty_since as since, removal, failure, failure_detail as detail, count(*) over () as total
    from dirty_user
    join tenant using (tenant_id)
    ${joinUserNames(sql`dirty_user`)}
    where ${tenant === undefined ? sql`true` : sql`tenant.name = ${tenant}`}
      and ${except === undefined ? sql`true` : sql`failure is distinct from ${except}`}
      and ${asked ? sql`dirty_user.user_id = any(${asked}::uuid[])` : sql`true`}
    order by removal desc, dirty_since, dirty_user.user_id
    limit ${limit}`.execute(db)
  return {
    waiting: rows.map(({ total: _, ...row }) => row),
    total: Number(rows[0]?.total ?? 0),
  }
}

async function usersOfEach(
  db: Kysely<Database>,
  users: NonNullable<WaitingQuery['users']>,
): Promise<string[]> {
  const tenants = await db.selectFrom('tenant').select('tenant_id').execute()
  return (await Promise.all(tenants.map(({ tenant_id }) => users(tenant_id)))).flat()
}
