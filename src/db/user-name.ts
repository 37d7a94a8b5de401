import { type RawBuilder, sql } from 'kysely'

/** What a user is called, or was last before it was deleted; null once that was erased. */
export const knownUserName = sql<
  string | null
>`coalesce(scim_user.attributes ->> 'userName', audit_person.user_name)`

/** The tables that `knownUserName` reads, for the rows of a table with the columns `tenant_id` and `user_id`. */
export const joinUserNames = (table: RawBuilder<unknown>) => sql`
  left join scim_user on scim_user.tenant_id = ${table}.tenant_id and scim_user.id = ${table}.user_id
  left join audit_person on audit_person.tenant_id = ${table}.tenant_id and audit_person.user_id = ${table}.user_id`
