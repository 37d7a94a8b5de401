import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import { takeDueClientWarnings } from './oauth-expiry.ts'
import { tokenCredential } from './static-tokens.ts'
import { EXPIRES_SOON_DAYS } from './tokens.ts'

export interface CredentialExpiry {
  readonly tenant: string
  readonly credential: string
  /** Negative once it has expired. */
  readonly expirySeconds: number
}

/** For how long an expired token goes on being reported, so that an alarm about it does not end by itself. */
const REPORTED_AFTER_DAYS = 30

/** Whoever has a successor matters only while a client goes on using it; an operator has arranged for its end. */
const isNotReplaced = sql<boolean>`(rotated_at is null or (last_used_at > rotated_at and expires_at > now()))`

/**
 * The tokens that will expire or have expired in the last 30 days, for the metric that warns of it. Not those that were
 * revoked, nor those whose successor has taken over.
 */
export async function expiringTokens(db: Kysely<Database>): Promise<CredentialExpiry[]> {
  const rows = await db
    .selectFrom('scim_token')
    .innerJoin('tenant', 'tenant.tenant_id', 'scim_token.tenant_id')
    .select([
      'tenant.name as tenant',
      'scim_token.token_id as id',
      sql<number>`extract(epoch from scim_token.expires_at - now())::float8`.as('expirySeconds'),
    ])
    .where('tenant.disabled_at', 'is', null)
    .where('scim_token.revoked_at', 'is', null)
    .where('scim_token.expires_at', '>', sql<Date>`now() - make_interval(days => ${REPORTED_AFTER_DAYS})`)
    .where(isNotReplaced)
    .execute()
  return rows.map(({ tenant, id, expirySeconds }) => ({
    tenant,
    credential: tokenCredential(id),
    expirySeconds,
  }))
}

/** Days before the end at which a warning is due. */
export const WARNING_DAYS = [EXPIRES_SOON_DAYS, 14, 7, 1] as const

export interface ExpiryWatchOptions {
  readonly db: Kysely<Database>
  readonly intervalMs: number
  readonly log: { warn(fields: object, message: string): void }
}

/** A recurring duty of the process. */
export interface ExpiryWatch {
  start(): void
  stop(): Promise<void>
  /** Returns how many warnings it wrote. */
  runOnce(): Promise<number>
}

/**
 * Warns of tokens and client secrets in use that are about to expire. Of all processes one writes each warning: the one that has recorded it.
 */
export function createExpiryWatch({ db, intervalMs, log }: ExpiryWatchOptions): ExpiryWatch {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  async function runOnce(): Promise<number> {
    const due = await takeDueWarnings(db)
    for (const { tenant, id, name, expires, lastUsed, days } of due) {
      log.warn(
        { tenant, credential: tokenCredential(id), name, expires, lastUsed },
        `a token in use expires in less than ${days} ${days === 1 ? 'day' : 'days'}: rotate it`,
      )
    }
    const clients = await takeDueClientWarnings(db, WARNING_DAYS)
    for (const { days, ...fields } of clients) {
      log.warn(
        fields,
        `a client secret in use expires in less than ${days} ${days === 1 ? 'day' : 'days'}: rotate it`,
      )
    }
    return due.length + clients.length
  }

  function look(): void {
    running = runOnce().catch((error) =>
      log.warn({ err: error }, 'whether tokens are about to expire cannot be read'),
    )
  }

  return {
    start() {
      if (timer) return
      timer = setInterval(look, intervalMs)
      look()
    },
    async stop() {
      clearInterval(timer)
      await running
    },
    runOnce,
  }
}

interface DueWarning {
  readonly tenant: string
  readonly id: string
  readonly name: string
  readonly expires: Date
  readonly lastUsed: Date
  readonly days: number
}

/** A token that is first looked at late gets the one warning that is due then, not those it has missed. */
async function takeDueWarnings(db: Kysely<Database>): Promise<DueWarning[]> {
  const { rows } = await sql<DueWarning>`
    update scim_token
    set expiry_warned_days = due.days
    from tenant, (
      select token_id, (
        select min(days) from unnest(${[...WARNING_DAYS]}::integer[]) as days
        where expires_at <= now() + make_interval(days => days)
      ) as days
      from scim_token
      where revoked_at is null and expires_at > now() and last_used_at is not null and ${isNotReplaced}
    ) as due
    where due.token_id = scim_token.token_id and tenant.tenant_id = scim_token.tenant_id
      and due.days < coalesce(expiry_warned_days, due.days + 1)
    returning tenant.name as tenant, scim_token.token_id as id, scim_token.name, scim_token.expires_at as expires,
      scim_token.last_used_at as "lastUsed", due.days`.execute(db)
  return rows
}
