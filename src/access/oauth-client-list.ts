import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'

export interface ClientDescription {
  readonly tenant: string
  readonly id: string
  readonly name: string
  readonly access: 'read' | 'write'
  readonly created: Date
  readonly lastUsed: Date | null
  readonly revoked: Date | null
  /** The newest first; none for a client that proves itself by assertions. */
  readonly secrets: readonly {
    readonly created: string
    readonly expires: string
    readonly lastUsed: string | null
  }[]
  readonly federation: {
    readonly issuer: string
    readonly subject: string
    readonly audiences: readonly string[]
    readonly jwksUrl: string | null
  } | null
}

export async function listClients(
  db: Kysely<Database>,
  tenant: string | undefined,
): Promise<ClientDescription[]> {
  const { rows } = await sql<ClientDescription>`
    select tenant.name as tenant, client.client_id as id, client.name, client.access, client.created_at as created,
      client.last_used_at as "lastUsed", client.revoked_at as revoked,
      coalesce((
        select json_agg(json_build_object(
          'created', to_json(created_at), 'expires', to_json(expires_at), 'lastUsed', to_json(last_used_at)
        ) order by created_at desc)
        from oauth_client_secret secret
        where secret.tenant_id = client.tenant_id and secret.client_id = client.client_id
      ), '[]') as secrets,
      case when federated_issuer is not null then json_build_object(
        'issuer', federated_issuer, 'subject', federated_subject, 'audiences', federated_audiences, 'jwksUrl', jwks_url
      ) end as federation
    from oauth_client client join tenant using (tenant_id)
    where ${tenant ?? null}::text is null or tenant.name = ${tenant ?? null}
    order by client.created_at, client.client_id`.execute(db)
  return rows
}

/** Whether anybody could get an access token, or has one from Entra. */
export async function hasUsableClient(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql`
    select from oauth_client client join tenant using (tenant_id)
    where tenant.disabled_at is null and revoked_at is null and (federated_issuer is not null or exists (
      select from oauth_client_secret secret
      where secret.tenant_id = client.tenant_id and secret.client_id = client.client_id and expires_at > now()))
    union all
    select from entra_issuer join tenant using (tenant_id) where tenant.disabled_at is null
    limit 1`.execute(db)
  return rows.length > 0
}
