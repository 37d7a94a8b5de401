import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'

/** What was last told of a user's account. */
export const lastAccountEntry = (db: Kysely<Database>, tenantId: number, userId: string) =>
  db
    .selectFrom('audit_entry')
    .select(['operation', 'result', 'reason', 'wanted_roles as wantedRoles'])
    .where('tenant_id', '=', tenantId)
    .where('resource_id', '=', userId)
    .where('resource_type', '=', 'Account')
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst()
