import type { Kysely } from 'kysely'
import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import type { Account } from '../campaign-manager/messages.ts'
import { RECENT_ROLES_MS, type RoleCatalog } from '../campaign-manager/role-catalog.ts'
import type { Database } from '../db/tables.ts'
import {
  databaseNow,
  type LinkedRecord,
  loadLinkedRecords,
  loadMissingAccounts,
  loadStrayAccounts,
} from '../directory/inventory.ts'
import type { Finding, SeenAccount } from '../reconcile/drift-finding.ts'
import { type Place, PlaceRefusedError, type TakeStep, type Walk } from '../reconcile/inventory-walk.ts'
import { accountSituation } from './account-situation.ts'
import { type Drift, driftOfAccount, driftOfMissing, driftOfStray } from './find-drift.ts'
import { planAccount } from './plan-account.ts'
import { resolveRoles } from './resolve-roles.ts'
import type { TenantPolicies } from './tenant-policies.ts'

export interface InventoryContext {
  readonly db: Kysely<Database>
  readonly campaignManager: Pick<CampaignManager, 'listAccounts'>
  readonly roleCatalog: Pick<RoleCatalog, 'get'>
  /** Undefined for a tenant that is not served, or cannot be for now: its accounts are not compared. */
  readonly policiesOf: (tenantId: number) => Promise<TenantPolicies | undefined>
}

type Step = Awaited<ReturnType<TakeStep>>

/** One step of a walk through the inventory: looks, compares with what should be, changes nothing. */
export async function takeInventoryStep(
  context: InventoryContext,
  walk: Walk,
  { stage, after }: Place,
): Promise<Step> {
  switch (stage) {
    case 'pages':
      return comparePage(context, walk, after)
    case 'missing':
      return findMissing(context, walk, after)
    case 'strays':
      return findStrays(context, walk, after)
  }
}

async function comparePage(
  context: InventoryContext,
  { endpoint }: Walk,
  token: string | undefined,
): Promise<Step> {
  const since = await databaseNow(context.db)
  const page = await readPage(context.campaignManager, token)
  const accounts = page.accounts.filter(({ id }) => isStorable(id))
  const linked = await loadLinkedRecords(
    context.db,
    endpoint,
    accounts.map(({ id }) => id),
    since,
  )
  const roleCatalog = listOnce(context.roleCatalog)
  const policiesOf = onceForEach(context.policiesOf)
  const findings: Finding[] = []
  // Campaign Manager may show an account twice; the later is the newer.
  for (const account of new Map(accounts.map((each) => [each.id, each])).values()) {
    const user = linked.get(account.id)
    if (!user || user.busy) continue
    const policies = await policiesOf(user.tenantId)
    if (!policies) continue
    const drift = await compareAccount(roleCatalog, policies, user, account)
    findings.push(...drift.map((each) => finding(each, user, account.id, true)))
  }
  const next = page.nextPageToken
  return {
    since,
    seen: accounts.map((account) => seenAccount(account, linked.has(account.id))),
    findings,
    next: next === undefined ? { stage: 'missing', after: undefined } : { stage: 'pages', after: next },
  }
}

/** A token that Campaign Manager does not know any more is no reason to ask with it again. */
async function readPage(campaignManager: InventoryContext['campaignManager'], token: string | undefined) {
  try {
    return await campaignManager.listAccounts(token)
  } catch (error) {
    const refused =
      error instanceof CampaignManagerError && (error.code === 'invalid' || error.code === 'not_found')
    if (token === undefined || !refused) throw error
    throw new PlaceRefusedError('Campaign Manager does not know the page any more', { cause: error })
  }
}

/** The list of roles is needed for some accounts only, and then once for a page, however long it is believed. */
function listOnce(roleCatalog: InventoryContext['roleCatalog']): InventoryContext['roleCatalog'] {
  let list: Promise<readonly string[]> | undefined
  return {
    get: () => {
      list ??= roleCatalog.get()
      return list
    },
  }
}

/** Few tenants have accounts on one page, and each has many. */
function onceForEach(policiesOf: InventoryContext['policiesOf']): InventoryContext['policiesOf'] {
  const asked = new Map<number, ReturnType<InventoryContext['policiesOf']>>()
  return (tenantId) => {
    const answer = asked.get(tenantId) ?? policiesOf(tenantId)
    asked.set(tenantId, answer)
    return answer
  }
}

async function compareAccount(
  roleCatalog: InventoryContext['roleCatalog'],
  policies: TenantPolicies,
  { userId, record }: LinkedRecord,
  account: Account,
): Promise<Drift[]> {
  const { placeholderRole } = policies
  const roles = await resolveRoles({ roleCatalog, placeholderRole }, record, account.roles, {
    recentMs: RECENT_ROLES_MS,
    listOnly: false,
  })
  // Throws when the list is what is missing: the walk goes on once there is one.
  if (roles.remainder) await roleCatalog.get()
  const found = { by: 'link', observed: { account, etag: undefined } } as const
  const plan = planAccount(accountSituation(userId, record, found, roles), policies)
  return driftOfAccount(account, plan, roles.held)
}

async function findMissing({ db }: InventoryContext, walk: Walk, after: string | undefined): Promise<Step> {
  const { missing, next } = await loadMissingAccounts(db, walk, after)
  return {
    since: walk.began,
    seen: [],
    findings: missing.map((each) => finding(driftOfMissing(each), each, each.accountId, true)),
    next: next === undefined ? { stage: 'strays', after: undefined } : { stage: 'missing', after: next },
  }
}

async function findStrays({ db }: InventoryContext, walk: Walk, after: string | undefined): Promise<Step> {
  const { strays, next } = await loadStrayAccounts(db, walk, after)
  return {
    since: walk.began,
    seen: [],
    findings: strays.flatMap((stray) => {
      const drift = driftOfStray(stray)
      return drift ? [finding(drift, stray.holders[0], stray.accountId, false)] : []
    }),
    next: next === undefined ? undefined : { stage: 'strays', after: next },
  }
}

const finding = (
  drift: Drift,
  user: { tenantId: number; userId: string } | undefined,
  accountId: string | undefined,
  repairable: boolean,
): Finding => ({
  ...drift,
  detail: drift.detail.replaceAll('\0', ''),
  user: user && { tenantId: user.tenantId, userId: user.userId },
  accountId,
  repairable,
})

const seenAccount = ({ id, externalId }: Account, linked: boolean): SeenAccount => ({
  accountId: id,
  // An empty one is none, and names nobody.
  externalId: externalId && isStorable(externalId) ? externalId : undefined,
  linked,
})

/** Postgres keeps no NUL in a text, and so knows no account by an id with one. */
const isStorable = (text: string): boolean => !text.includes('\0')
