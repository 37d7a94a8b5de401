import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from '../db/tables.ts'
import { joinUserNames, knownUserName } from '../db/user-name.ts'
import { fold } from '../scim/fold.ts'
import { OPERATOR } from './entry.ts'
import { recordAudit } from './record.ts'

/** Keeps whom a user id means, for whoever reads the trail, apart from it. The caller holds the user's account locked. */
export async function rememberPerson(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
  userName: string,
): Promise<void> {
  await trx
    .insertInto('audit_person')
    .values({ tenant_id: tenantId, user_id: userId, user_name: userName })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'user_id']).doUpdateSet({ user_name: userName }))
    .execute()
}

/** Forgets whom a user id meant; the trail itself names nobody, and stays as it is. False when nothing was known. */
export async function erasePerson(
  trx: Transaction<Database>,
  tenantId: number,
  userId: string,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('audit_person')
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  if (numDeletedRows === 0n) return false
  recordAudit(trx, tenantId, OPERATOR, {
    operation: 'audit.erase',
    resourceType: 'User',
    resourceId: userId,
  })
  return true
}

/** The users who have, or had last, this userName: several, when somebody was deleted and created anew. */
export async function usersNamed(
  db: Kysely<Database>,
  tenantId: number,
  userName: string,
): Promise<string[]> {
  const { rows } = await sql<{ user_id: string }>`
    select user_id from audit_person
    where tenant_id = ${tenantId} and lower(user_name) = lower(${userName}::text)
    union
    select id from scim_user where tenant_id = ${tenantId} and name_key = ${fold(userName)}`.execute(db)
  return rows.map((row) => row.user_id)
}

/** What users are called, as far as anybody knows. */
export async function namesOf(
  db: Kysely<Database>,
  tenantId: number,
  userIds: readonly string[],
): Promise<Map<string, string>> {
  if (userIds.length === 0) return new Map()
  const { rows } = await sql<{ user_id: string; user_name: string }>`
    select wanted.user_id, ${knownUserName} as user_name
    from (
      select ${tenantId}::integer as tenant_id, unnest(${[...new Set(userIds)]}::uuid[]) as user_id
    ) as wanted
    ${joinUserNames(sql`wanted`)}`.execute(db)
  return new Map(rows.flatMap((row) => (row.user_name ? [[row.user_id, row.user_name] as const] : [])))
}
