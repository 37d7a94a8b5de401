import { type Kysely, sql } from 'kysely'
import { type Author, OPERATOR } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Access } from './principal.ts'
import { findTenant } from './tenants.ts'
import { createToken, type TokenEnvironment } from './token.ts'

/** How long a token lives when nobody says. */
export const TOKEN_DAYS = 365
/** How many days before its end a token is said to expire soon. */
export const EXPIRES_SOON_DAYS = 30

export type TokenState = 'active' | 'expires soon' | 'expired' | 'revoked'

export interface TokenDescription {
  readonly tenant: string
  readonly id: string
  readonly name: string
  readonly access: Access
  readonly state: TokenState
  readonly created: Date
  readonly expires: Date | null
  readonly revoked: Date | null
  /** To the minute. */
  readonly lastUsed: Date | null
}

export interface IssuedToken {
  readonly id: string
  /** The whole token, for the only time. */
  readonly token: string
  readonly access: Access
  readonly expires: Date | null
}

export interface TokenOptions {
  readonly access?: Access
  readonly environment?: TokenEnvironment
  /** Who makes it, for the audit trail: an operator, unless told otherwise. */
  readonly author?: Author
}

/**
 * Makes a token. Undefined when there is no such tenant.
 *
 * @param days undefined: it never expires
 */
export async function issueToken(
  db: Kysely<Database>,
  tenant: string,
  name: string,
  days: number | undefined,
  { access = 'write', environment = 'dev', author = OPERATOR }: TokenOptions = {},
): Promise<IssuedToken | undefined> {
  return inTransaction(db, async (trx) => {
    const tenantId = await findTenant(trx, tenant)
    if (tenantId === undefined) return undefined
    const issued = await insertToken(trx, { tenantId, name, days, access, environment })
    recordAudit(trx, tenantId, author, {
      operation: 'token.create',
      resourceType: 'Token',
      resourceId: issued.id,
      detail: { access, expires: issued.expires?.toISOString() ?? null },
    })
    return issued
  })
}

interface TokenToInsert {
  readonly tenantId: number
  readonly name: string
  readonly days: number | undefined
  readonly access: Access
  readonly environment: TokenEnvironment
}

async function insertToken(db: Kysely<Database>, wanted: TokenToInsert): Promise<IssuedToken> {
  const { tenantId, name, days, access, environment } = wanted
  const { tokenId, secretHash, token } = createToken(environment)
  const { expires_at } = await db
    .insertInto('scim_token')
    .values({
      tenant_id: tenantId,
      token_id: tokenId,
      name,
      secret_hash: secretHash,
      access,
      expires_at: sql`now() + make_interval(days => ${days ?? null}::integer)`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow()
  return { id: tokenId, token, access, expires: expires_at }
}

const stateOf = sql<TokenState>`case
  when revoked_at is not null then 'revoked'
  when expires_at <= now() then 'expired'
  when expires_at <= now() + make_interval(days => ${sql.lit(EXPIRES_SOON_DAYS)}) then 'expires soon'
  else 'active' end`

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
      'scim_token.access as access',
      stateOf.as('state'),
      'scim_token.created_at as created',
      'scim_token.expires_at as expires',
      'scim_token.revoked_at as revoked',
      'scim_token.last_used_at as lastUsed',
    ])
    .orderBy('scim_token.created_at')
  if (tenant !== undefined) query = query.where('tenant.name', '=', tenant)
  return query.execute()
}

export type Rotation =
  | { readonly successor: IssuedToken; readonly name: string; readonly oldExpires: Date }
  | { readonly refused: 'unknown' | 'expired' | 'revoked' }

export interface RotationOptions {
  /** How long the old token is still accepted, at most; never longer than it would have been. */
  readonly overlapHours: number
  /** How long the successor lives; undefined: for ever. */
  readonly days: number | undefined
  readonly environment?: TokenEnvironment
}

/** Makes a token of the same name and access as one in force, which from then on has but the overlap to live. */
export const rotateToken = (
  db: Kysely<Database>,
  tenant: string,
  id: string,
  { overlapHours, days, environment = 'dev' }: RotationOptions,
): Promise<Rotation> =>
  inTransaction(db, async (trx) => {
    const old = await trx
      .selectFrom('scim_token')
      .innerJoin('tenant', 'tenant.tenant_id', 'scim_token.tenant_id')
      .select(['scim_token.tenant_id', 'scim_token.name', 'access', stateOf.as('state')])
      .where('tenant.name', '=', tenant)
      .where('token_id', '=', id)
      // A revocation that comes at the same time must not be undone, nor overlooked.
      .forUpdate('scim_token')
      .executeTakeFirst()
    if (!old) return { refused: 'unknown' }
    if (old.state === 'revoked' || old.state === 'expired') return { refused: old.state }
    const { name, access, tenant_id: tenantId } = old
    const successor = await insertToken(trx, { tenantId, name, days, access, environment })
    const { oldExpires } = await trx
      .updateTable('scim_token')
      .set({
        rotated_at: sql`now()`,
        expires_at: sql`least(expires_at, now() + make_interval(hours => ${overlapHours}::integer))`,
      })
      .where('tenant_id', '=', tenantId)
      .where('token_id', '=', id)
      .returning(sql<Date>`expires_at`.as('oldExpires'))
      .executeTakeFirstOrThrow()
    recordAudit(trx, tenantId, OPERATOR, {
      operation: 'token.rotate',
      resourceType: 'Token',
      resourceId: id,
      detail: { successor: successor.id, access, oldExpires: oldExpires.toISOString() },
    })
    return { successor, name, oldExpires }
  })

/** True when the token existed; revoking twice keeps the first time. */
export async function revokeToken(db: Kysely<Database>, tenant: string, id: string): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const { rows } = await sql<{ tenant_id: number; now: boolean }>`
      update scim_token set revoked_at = coalesce(revoked_at, now())
      from tenant
      where tenant.tenant_id = scim_token.tenant_id and tenant.name = ${tenant} and scim_token.token_id = ${id}
      returning tenant.tenant_id, revoked_at = now() as now`.execute(trx)
    const [revoked] = rows
    if (revoked?.now) {
      recordAudit(trx, revoked.tenant_id, OPERATOR, {
        operation: 'token.revoke',
        resourceType: 'Token',
        resourceId: id,
      })
    }
    return revoked !== undefined
  })
}
