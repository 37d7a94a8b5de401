import { type Kysely, sql } from 'kysely'
import { OPERATOR } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import { uniqueViolation } from '../db/errors.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { newClientId, newClientSecret } from './oauth-secrets.ts'
import { findTenant } from './tenants.ts'

/** Whose assertions speak for a client (RFC 7523 §3). Everything is compared exactly. */
export interface Federation {
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  /** Where the issuer's keys are; without one its discovery document tells. */
  readonly jwksUrl: string | undefined
}

export interface NewClient {
  readonly tenant: string
  readonly name: string
  readonly access: 'read' | 'write'
  /** How long the secret lives, or whose assertions stand for one. */
  readonly proof: { readonly secretDays: number } | { readonly federation: Federation }
}

export type ClientCreation =
  | { readonly clientId: string; readonly secret?: string }
  | { readonly refused: 'no tenant' | 'federation taken' }

/** Makes a client. Its secret, if it has one, is returned for the only time. */
export async function createClient(db: Kysely<Database>, client: NewClient): Promise<ClientCreation> {
  const { proof } = client
  const federation = 'federation' in proof ? proof.federation : undefined
  try {
    return await inTransaction(db, async (trx) => {
      const tenantId = await findTenant(trx, client.tenant)
      if (tenantId === undefined) return { refused: 'no tenant' }
      const clientId = newClientId()
      await trx
        .insertInto('oauth_client')
        .values({
          tenant_id: tenantId,
          client_id: clientId,
          name: client.name,
          access: client.access,
          federated_issuer: federation?.issuer ?? null,
          federated_subject: federation?.subject ?? null,
          federated_audiences: federation ? [...federation.audiences] : null,
          jwks_url: federation?.jwksUrl ?? null,
        })
        .execute()
      recordAudit(trx, tenantId, OPERATOR, {
        operation: 'client.create',
        resourceType: 'Client',
        resourceId: clientId,
        detail: { access: client.access, proof: federation ? 'federation' : 'secret' },
      })
      if (!('secretDays' in proof)) return { clientId }
      return { clientId, secret: await addSecret(trx, tenantId, clientId, proof.secretDays) }
    })
  } catch (error) {
    if (uniqueViolation(error) === 'oauth_client_federation') return { refused: 'federation taken' }
    throw error
  }
}

async function addSecret(
  trx: Kysely<Database>,
  tenantId: number,
  clientId: string,
  days: number,
): Promise<string> {
  const { text, hash } = newClientSecret()
  await trx
    .insertInto('oauth_client_secret')
    .values({
      tenant_id: tenantId,
      client_id: clientId,
      secret_hash: hash,
      expires_at: sql`now() + make_interval(days => ${days})`,
    })
    .execute()
  return text
}

/** As many may be in force, so that one can be replaced while the other still serves. */
const MAX_SECRETS = 2

export interface Rotation {
  /** How long the secret that there is goes on; with 0 it ends now, and every access token with it. */
  readonly overlapHours: number
  readonly secretDays: number
}

export type RotationResult =
  | { readonly secret: string; readonly oldExpires: Date | undefined }
  | { readonly refused: 'no client' | 'revoked' | 'no secrets' | 'two secrets' }

/** Gives a client a second secret and lets the first end. */
export const rotateSecret = (
  db: Kysely<Database>,
  tenant: string,
  clientId: string,
  { overlapHours, secretDays }: Rotation,
): Promise<RotationResult> =>
  inTransaction(db, async (trx) => {
    const client = await trx
      .selectFrom('oauth_client')
      .innerJoin('tenant', 'tenant.tenant_id', 'oauth_client.tenant_id')
      .select(['oauth_client.tenant_id', 'revoked_at', 'federated_issuer'])
      .where('tenant.name', '=', tenant)
      .where('client_id', '=', clientId)
      // Two rotations at a time must not both see one secret.
      .forUpdate('oauth_client')
      .executeTakeFirst()
    if (!client) return { refused: 'no client' }
    if (client.revoked_at) return { refused: 'revoked' }
    if (client.federated_issuer !== null) return { refused: 'no secrets' }
    const tenantId = client.tenant_id
    const { count } = await trx
      .selectFrom('oauth_client_secret')
      .select(sql<number>`count(*)::integer`.as('count'))
      .where('tenant_id', '=', tenantId)
      .where('client_id', '=', clientId)
      .where('expires_at', '>', sql<Date>`now()`)
      .executeTakeFirstOrThrow()
    // Ending the others at once leaves one, however many there were.
    if (count >= MAX_SECRETS && overlapHours > 0) return { refused: 'two secrets' }
    const old = await trx
      .updateTable('oauth_client_secret')
      .set({ expires_at: sql`least(expires_at, now() + make_interval(hours => ${overlapHours}))` })
      .where('tenant_id', '=', tenantId)
      .where('client_id', '=', clientId)
      .where('expires_at', '>', sql<Date>`now()`)
      .returning('expires_at')
      .execute()
    if (overlapHours === 0) await deleteAccessTokens(trx, tenantId, clientId)
    const secret = await addSecret(trx, tenantId, clientId, secretDays)
    recordAudit(trx, tenantId, OPERATOR, {
      operation: 'client.rotate',
      resourceType: 'Client',
      resourceId: clientId,
      detail: { overlapHours },
    })
    return { secret, oldExpires: old[0]?.expires_at }
  })

/** Ends a client, its secrets and its access tokens at once. False when there is none; revoking twice keeps the first time. */
export const revokeClient = (db: Kysely<Database>, tenant: string, clientId: string): Promise<boolean> =>
  inTransaction(db, async (trx) => {
    const { rows } = await sql<{ tenant_id: number; now: boolean }>`
      update oauth_client set revoked_at = coalesce(revoked_at, now())
      from tenant
      where tenant.tenant_id = oauth_client.tenant_id and tenant.name = ${tenant} and client_id = ${clientId}
      returning oauth_client.tenant_id, revoked_at = now() as now`.execute(trx)
    const [revoked] = rows
    if (!revoked) return false
    await deleteAccessTokens(trx, revoked.tenant_id, clientId)
    if (revoked.now) {
      recordAudit(trx, revoked.tenant_id, OPERATOR, {
        operation: 'client.revoke',
        resourceType: 'Client',
        resourceId: clientId,
      })
    }
    return true
  })

const deleteAccessTokens = (trx: Kysely<Database>, tenantId: number, clientId: string) =>
  trx
    .deleteFrom('oauth_access_token')
    .where('tenant_id', '=', tenantId)
    .where('client_id', '=', clientId)
    .execute()
