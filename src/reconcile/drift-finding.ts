import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database, DriftFindingTable } from '../db/tables.ts'
import { markFound } from './mark-users.ts'

/**
 * account_missing  a user's account is not in the inventory
 * roles_missing    a role that the user should hold is not on the account
 * roles_extra      a role of ours is on the account that should not be
 * disabled         the account is disabled or enabled, and should not be
 * edited           the address, a name or the external id is another one
 * orphan           an account carries an external id, and no user here needs it; only reported
 * duplicate        an account carries the external id of another account; only reported
 */
export type DriftKind = DriftFindingTable['kind']

export interface Finding {
  readonly kind: DriftKind
  /** Undefined for an account that is nobody's here. */
  readonly user: { readonly tenantId: number; readonly userId: string } | undefined
  readonly accountId: string | undefined
  /** A sentence for the operator, without e-mail addresses. */
  readonly detail: string
  /** Whether marking the user dirty mends it. */
  readonly repairable: boolean
  /** Whether somebody has access who should not. */
  readonly removal: boolean
}

/** An account of the inventory, remembered until the end of the walk. */
export interface SeenAccount {
  readonly accountId: string
  readonly externalId: string | undefined
  readonly linked: boolean
}

/** What one step of a walk brought. */
export interface StepResult {
  readonly seen: readonly SeenAccount[]
  readonly findings: readonly Finding[]
  /** The database's time: who was reconciled after it has been looked at since, and is not mended again. */
  readonly since: string
}

/**
 * Remembers the accounts of a step and, where `mend` says so, marks the users dirty whose accounts a reconciliation can
 * mend. Returns what counts as found: with `mend`, users that are being reconciled already are left out.
 */
export async function applyStep(
  trx: Transaction<Database>,
  walk: string,
  { seen, findings, since }: StepResult,
  mend: boolean,
): Promise<Finding[]> {
  await saveSeen(trx, walk, seen)
  if (!mend) return [...findings]
  const repairable = findings.flatMap(({ repairable, user, removal }) =>
    repairable && user ? [{ ...user, removal }] : [],
  )
  const marked = await markFound(trx, repairable, since)
  return findings.filter(({ repairable, user }) => !repairable || (user && marked.has(userKey(user))))
}

export const userKey = ({ tenantId, userId }: { tenantId: number; userId: string }): string =>
  `${tenantId}/${userId}`

async function saveSeen(
  trx: Transaction<Database>,
  walk: string,
  seen: readonly SeenAccount[],
): Promise<void> {
  if (seen.length === 0) return
  // An account may come twice when others before it are deleted while the pages are read.
  await sql`
    insert into inventory_account (walk, campaign_manager_id, external_id, linked)
    select ${walk}::uuid, seen.id, seen.external_id, seen.linked
    from unnest(
      ${seen.map(({ accountId }) => accountId)}::text[],
      ${seen.map(({ externalId }) => externalId ?? null)}::text[],
      ${seen.map(({ linked }) => linked)}::boolean[]
    ) as seen (id, external_id, linked)
    on conflict do nothing`.execute(trx)
}

/** Forgets a walk's accounts, and those of walks that were broken off long ago. */
export async function forgetSeen(db: Kysely<Database>, walk: string): Promise<void> {
  await sql`
    delete from inventory_account where walk = ${walk} or seen_at < now() - interval '1 day'`.execute(db)
}

export async function saveFindings(
  trx: Transaction<Database>,
  walk: { readonly id: string; readonly endpoint: string },
  findings: readonly Finding[],
): Promise<void> {
  if (findings.length === 0) return
  await trx
    .insertInto('drift_finding')
    .values(
      findings.map(({ user, accountId, kind, detail }) => ({
        walk: walk.id,
        endpoint: walk.endpoint,
        tenant_id: user?.tenantId ?? null,
        user_id: user?.userId ?? null,
        campaign_manager_id: accountId ?? null,
        kind,
        detail,
      })),
    )
    .execute()
}

/** Drops what other walks of the same inventory found, except about users who are still to be mended. */
export async function replaceFindings(
  trx: Transaction<Database>,
  { id, endpoint }: { readonly id: string; readonly endpoint: string },
): Promise<void> {
  await sql`
    delete from drift_finding
    where walk <> ${id} and endpoint = ${endpoint} and not exists (
      select from dirty_user
      where dirty_user.tenant_id = drift_finding.tenant_id and dirty_user.user_id = drift_finding.user_id
    )`.execute(trx)
}
