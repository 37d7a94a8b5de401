import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { createToken } from './token.ts'

export interface TokenDescription {
  readonly tenant: string
  readonly id: string
  readonly name: string
  readonly created: Date
  readonly expires: Date | null
  readonly revoked: Date | null
}

/** Makes a token and returns it, for the only time. Undefined when there is no such tenant. */
export async function issueToken(
  db: Kysely<Database>,
  tenant: string,
  name: string,
  expiresInDays: number | undefined,
): Promise<{ id: string; token: string } | undefined> {
  const { tokenId, secretHash, token } = createToken()
  const { rows } = await sql`
    insert into scim_token (tenant_id, token_id, name, secret_hash, expires_at)
    select tenant_id, ${tokenId}, ${name}, ${secretHash}, now() + make_interval(days => ${expiresInDays ?? null}::integer)
    from tenant where tenant.name = ${tenant}
    returning token_id`.execute(db)
  return rows.length > 0 ? { id: tokenId, token } : undefined
}

export async function listTokens(
  db: Kysely<Database>,
  tenant: string | undefined,
): Promise<TokenDescription[]> {
  let query = db
    .selectFrom('scim_token')
    .innerJoin('tenant', 'tenant.tenant_id', 'scim_token.tenant_id')
    .select([
      'tenant.name as tenant',
      'scim_token.token_id as id',
      'scim_token.name as name',
      'scim_token.created_at as created',
      'scim_token.expires_at as expires',
      'scim_token.revoked_at as revoked',
    ])
    .orderBy('scim_token.created_at')
  if (tenant !== undefined) query = query.where('tenant.name', '=', tenant)
  return query.execute()
}

/** True when the token existed; revoking twice keeps the first time. */
export async function revokeToken(db: Kysely<Database>, tenant: string, id: string): Promise<boolean> {
  const { rows } = await sql`
    update scim_token set revoked_at = coalesce(revoked_at, now())
    from tenant
    where tenant.tenant_id = scim_token.tenant_id and tenant.name = ${tenant} and scim_token.token_id = ${id}
    returning token_id`.execute(db)
  return rows.length > 0
}

/** Whether anybody could authenticate with a stored token. */
export async function hasUsableToken(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql`
    select from scim_token where revoked_at is null and coalesce(expires_at > now(), true) limit 1`.execute(
    db,
  )
  return rows.length > 0
}

/** The tokens in force that will expire, for the metric that warns of it. */
export async function expiringTokens(
  db: Kysely<Database>,
): Promise<{ tenant: string; credential: string; expirySeconds: number }[]> {
  return db
    .selectFrom('scim_token')
    .innerJoin('tenant', 'tenant.tenant_id', 'scim_token.tenant_id')
    .select([
      'tenant.name as tenant',
      'scim_token.token_id as credential',
      sql<number>`extract(epoch from scim_token.expires_at - now())::float8`.as('expirySeconds'),
    ])
    .where('scim_token.revoked_at', 'is', null)
    .where('scim_token.expires_at', 'is not', null)
    .execute()
}
