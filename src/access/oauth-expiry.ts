import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'

/** For how long an expired secret goes on being reported, so that an alarm about it does not end by itself. */
const REPORTED_AFTER_DAYS = 30

/**
 * The secrets whose end would lock a client out: its newest, and an older one that it goes on using. That the older of two
 * ends otherwise is what an operator has arranged.
 */
const neededSecrets = sql`(
  select secret.*, tenant.name as tenant, client.name as client_name
  from oauth_client client
  join tenant using (tenant_id)
  join (
    select *, max(created_at) over (partition by tenant_id, client_id) as newest from oauth_client_secret
  ) secret using (tenant_id, client_id)
  where client.revoked_at is null
    and tenant.disabled_at is null
    and (secret.created_at = newest or (secret.last_used_at > newest and secret.expires_at > now()))
)`

/** When each client is locked out, for the metric that warns of it. */
export async function expiringClients(
  db: Kysely<Database>,
): Promise<{ tenant: string; credential: string; expirySeconds: number }[]> {
  const { rows } = await sql<{ tenant: string; credential: string; expirySeconds: number }>`
    select tenant, 'client:' || client_id as credential,
      extract(epoch from min(expires_at) - now())::float8 as "expirySeconds"
    from ${neededSecrets} needed
    where expires_at > now() - make_interval(days => ${REPORTED_AFTER_DAYS})
    group by tenant, client_id`.execute(db)
  return rows
}

export interface DueClientWarning {
  readonly tenant: string
  readonly credential: string
  readonly name: string
  readonly expires: Date
  readonly lastUsed: Date
  readonly days: number
}

/**
 * The secrets in use that have fewer days left than when this was last asked, by the thresholds. Of all processes one gets
 * each, and one that is looked at late is told of once.
 */
export async function takeDueClientWarnings(
  db: Kysely<Database>,
  thresholds: readonly number[],
): Promise<readonly DueClientWarning[]> {
  const { rows } = await sql<DueClientWarning>`
    update oauth_client_secret secret
    set expiry_warned_days = due.days
    from (
      select needed.*, (
        select min(days) from unnest(${[...thresholds]}::integer[]) as days
        where expires_at <= now() + make_interval(days => days)
      ) as days
      from ${neededSecrets} needed
      where expires_at > now() and last_used_at is not null
    ) due
    where due.tenant_id = secret.tenant_id and due.client_id = secret.client_id and due.secret_hash = secret.secret_hash
      and due.days < coalesce(secret.expiry_warned_days, due.days + 1)
    returning due.tenant, 'client:' || secret.client_id as credential, due.client_name as name,
      secret.expires_at as expires, secret.last_used_at as "lastUsed", due.days`.execute(db)
  return rows
}
