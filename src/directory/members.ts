import type { Kysely, Transaction } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { fold } from '../scim/fold.ts'
import { isResourceId } from './stored-resource.ts'

/** What a member value stands for: a user, nobody, or more than one user. */
export type MemberMatch = string | 'none' | 'ambiguous'

/**
 * The users that member values name: by `id`, else by userName, else by work e-mail. Entra sends the id it was given;
 * Campaign Manager's published flows show the e-mail address in its place.
 */
export async function resolveMembers(
  db: Kysely<Database>,
  tenantId: number,
  values: readonly string[],
): Promise<Map<string, MemberMatch>> {
  const matches = new Map<string, MemberMatch>()
  const ids = values.filter(isResourceId)
  if (ids.length > 0) {
    const rows = await db
      .selectFrom('scim_user')
      .select('id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', sql<string>`any(${ids}::uuid[])`)
      .execute()
    for (const { id } of rows) matches.set(id, id)
  }
  const names = [...new Set(values)].filter((value) => !matches.has(value))
  if (names.length === 0) return matches
  const byKey = await matchNames(db, tenantId, [...new Set(names.map(fold))])
  for (const name of names) matches.set(name, byKey.get(fold(name)) ?? 'none')
  return matches
}

async function matchNames(
  db: Kysely<Database>,
  tenantId: number,
  keys: readonly string[],
): Promise<Map<string, MemberMatch>> {
  // Counted instead of limited to two: a limit would let the planner read the table from end to end until it has them.
  const { rows } = await sql<{ key: string; id: string; users: number }>`
    select named.key, scim_user.id::text, 0 as users
    from unnest(${keys}::text[]) as named (key)
    join scim_user on scim_user.tenant_id = ${tenantId} and scim_user.name_key = named.key
    union all
    select named.key, mailed.id, mailed.users
    from unnest(${keys}::text[]) as named (key)
    cross join lateral (
      select min(id::text) as id, count(*)::integer as users from scim_user
      where tenant_id = ${tenantId} and search @> jsonb_build_object(
        'emails', jsonb_build_array(jsonb_build_object('type', 'work', 'value', named.key)))
    ) as mailed
    where mailed.users > 0
    order by users desc`.execute(db)
  // A userName comes last, and so prevails over an address.
  const matches = new Map<string, MemberMatch>()
  for (const { key, id, users } of rows) matches.set(key, users > 1 ? 'ambiguous' : id)
  return matches
}

/** The ids of a group's members, in order of joining. */
export const memberIds = async (db: Kysely<Database>, tenantId: number, groupId: string): Promise<string[]> =>
  (await membersOf(db, tenantId, [groupId])).get(groupId) ?? []

/** The members of several groups, each in order of joining. */
export async function membersOf(
  db: Kysely<Database>,
  tenantId: number,
  groupIds: readonly string[],
): Promise<Map<string, string[]>> {
  const members = new Map<string, string[]>(groupIds.map((id) => [id, []]))
  if (groupIds.length === 0) return members
  const rows = await db
    .selectFrom('group_member')
    .select(['group_id', 'user_id'])
    .where('tenant_id', '=', tenantId)
    .where('group_id', '=', sql<string>`any(${groupIds}::uuid[])`)
    .orderBy('joined')
    .execute()
  for (const row of rows) members.get(row.group_id)?.push(row.user_id)
  return members
}

/** The groups that several users are in, each in order of joining. */
export async function groupsOf(
  db: Kysely<Database>,
  tenantId: number,
  userIds: readonly string[],
): Promise<Map<string, { id: string; displayName: string }[]>> {
  const groups = new Map<string, { id: string; displayName: string }[]>()
  if (userIds.length === 0) return groups
  const rows = await db
    .selectFrom('group_member')
    .innerJoin('scim_group', (join) =>
      join
        .onRef('scim_group.tenant_id', '=', 'group_member.tenant_id')
        .onRef('scim_group.id', '=', 'group_member.group_id'),
    )
    .select(['group_member.user_id', 'scim_group.id', 'scim_group.attributes'])
    .where('group_member.tenant_id', '=', tenantId)
    .where('group_member.user_id', '=', sql<string>`any(${userIds}::uuid[])`)
    .orderBy('group_member.joined')
    .execute()
  for (const { user_id, id, attributes } of rows) {
    const group = { id, displayName: String(attributes.displayName) }
    groups.set(user_id, [...(groups.get(user_id) ?? []), group])
  }
  return groups
}

/** The groups a user is in. */
export async function groupIdsOf(db: Kysely<Database>, tenantId: number, userId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('group_member')
    .select('group_id')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .orderBy('group_id')
    .execute()
  return rows.map((row) => row.group_id)
}

/** Which of these users are in the group. */
export async function presentMembers(
  db: Kysely<Database>,
  tenantId: number,
  groupId: string,
  userIds: readonly string[],
): Promise<Set<string>> {
  if (userIds.length === 0) return new Set()
  const rows = await db
    .selectFrom('group_member')
    .select('user_id')
    .where('tenant_id', '=', tenantId)
    .where('group_id', '=', groupId)
    .where('user_id', '=', sql<string>`any(${userIds}::uuid[])`)
    .execute()
  return new Set(rows.map((row) => row.user_id))
}

/** The users join in the order given. The caller holds their accounts locked. */
export async function addMembers(
  trx: Transaction<Database>,
  tenantId: number,
  groupId: string,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return
  await sql`
    insert into group_member (tenant_id, group_id, user_id)
    select ${tenantId}::integer, ${groupId}::uuid, member.id
    from unnest(${userIds}::uuid[]) with ordinality as member (id, position)
    order by member.position
    on conflict do nothing`.execute(trx)
}

export async function removeMembers(
  trx: Transaction<Database>,
  tenantId: number,
  groupId: string,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return
  await trx
    .deleteFrom('group_member')
    .where('tenant_id', '=', tenantId)
    .where('group_id', '=', groupId)
    .where('user_id', '=', sql<string>`any(${userIds}::uuid[])`)
    .execute()
}
