import { type Kysely, sql } from 'kysely'
import type { Database } from '../../src/db/tables.ts'

export interface FilledGroup {
  readonly tenantId: number
  readonly groupId: string
  readonly members: number
  /** Whether all of them wait for something, as when Campaign Manager is away. */
  readonly areWaiting: boolean
}

/** Puts as many users `member-<n>@example.com` into the group, and leaves the planner's statistics as they were. */
export async function fillGroup(db: Kysely<Database>, filled: FilledGroup): Promise<void> {
  const { tenantId, groupId, members, areWaiting } = filled
  await db.transaction().execute(async (trx) => {
    await sql`
      create temporary table person on commit drop as
      select number, gen_random_uuid() as id from generate_series(1, ${members}::integer) as number`.execute(
      trx,
    )
    await sql`
      insert into account (tenant_id, user_id, standing, granted)
      select ${tenantId}, id, 'assigned', '{Campaign Editor}' from person`.execute(trx)
    await sql`
      insert into scim_user (tenant_id, id, attributes, search)
      select ${tenantId}, id, resource, resource from person, lateral (select jsonb_build_object(
        'userName', 'member-' || number || '@example.com', 'active', true, 'externalId', 'entra-' || number,
        'emails', jsonb_build_array(jsonb_build_object('type', 'work', 'value', 'member-' || number || '@example.com'))
      ) as resource) as made`.execute(trx)
    await sql`
      insert into group_member (tenant_id, group_id, user_id)
      select ${tenantId}, ${groupId}, id from person`.execute(trx)
    if (!areWaiting) return
    await sql`
      insert into dirty_user (tenant_id, user_id, not_before)
      select ${tenantId}, id, now() + interval '1 hour' from person`.execute(trx)
  })
}
