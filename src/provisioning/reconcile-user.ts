import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { RECENT_ROLES_MS, type RoleCatalog } from '../campaign-manager/role-catalog.ts'
import { type AccountRecord, loadAccountRecord } from '../directory/account-record.ts'
import { isAccountOfAnother, isAddressContested } from '../directory/account-rivals.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import { sameRoles } from '../roles/role-rule.ts'
import { accountExternalId, accountFields } from './account-fields.ts'
import { accountSituation } from './account-situation.ts'
import { type AttemptCalls, watchCalls } from './attempt-calls.ts'
import { attemptFailed, isConflict, linkedElsewhere } from './attempt-failure.ts'
import type { DeletionGuard } from './deletion-guard.ts'
import { type DeliveryContext, deliverPlan } from './deliver-plan.ts'
import { noteFound, recordInterrupted } from './delivery-record.ts'
import { type FoundAccount, findAccount } from './find-account.ts'
import { holdDeletion } from './hold-deletion.ts'
import { inheritAccount } from './inherit-account.ts'
import { type AccountPlan, type AccountPolicies, planAccount } from './plan-account.ts'
import { resolveRoles } from './resolve-roles.ts'

export interface ReconcileContext extends DeliveryContext {
  readonly campaignManager: CampaignManager
  readonly roleCatalog: RoleCatalog
  readonly placeholderRole: string
  readonly policies: AccountPolicies
  readonly mayDelete: DeletionGuard
  readonly log: { warn(fields: object, message: string): void }
  /** The account is not as this service last saw it, and nobody here changed it. */
  readonly onDrift: (kind: 'account_missing' | 'roles_changed') => void
}

/** How often one attempt starts over because the account changed under it, before it is left for later. */
const MAX_CONFLICTS = 3

/**
 * One attempt to bring one user's account from what Campaign Manager holds to what the directory says. Never holds a
 * transaction during a call; never writes without the intent recorded; records only while the claim is held.
 */
export async function reconcileUser(context: ReconcileContext, claim: Claim): Promise<Attempt> {
  const calls = watchCalls(context.campaignManager)
  const attempt = await reconcileAgain(context, claim, calls)
  return calls.isAsked ? attempt : { ...attempt, unasked: true }
}

async function reconcileAgain(
  context: ReconcileContext,
  claim: Claim,
  calls: AttemptCalls,
): Promise<Attempt> {
  let roleRefused = false
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      const { campaignManager, overtaken } = calls
      return await reconcileOnce({ ...context, campaignManager, overtaken }, claim, roleRefused)
    } catch (error) {
      if (!isConflict(error) || conflicts >= MAX_CONFLICTS) return attemptFailed(error)
      if (error.code === 'role_unknown') {
        context.roleCatalog.invalidate()
        roleRefused = true
      }
    }
  }
}

async function reconcileOnce(
  context: ReconcileContext,
  claim: Claim,
  roleRefused: boolean,
): Promise<Attempt> {
  const { tenantId, userId } = claim
  const record = await loadAccountRecord(context.db, tenantId, userId)
  if (!record) return { kind: 'done', outcome: 'unchanged' }
  if (isElsewhere(record, claim)) return elsewhere
  const inherited = await inheritAccount(context.db, claim, record)
  if (typeof inherited === 'object') return inherited
  if (inherited !== undefined) {
    context.log.warn({ tenantId, userId, formerUserId: inherited }, 'account taken over from the same person')
    return reconcileOnce(context, claim, roleRefused)
  }
  await recordInterrupted(context.db, claim, record)
  const fields = record.user && accountFields(record.user)
  const externalId = accountExternalId(record.user, userId)
  const mayAdopt = record.standing === 'awaiting' || record.standing === 'assigned'
  const own = [externalId, userId, ...(record.externalId === undefined ? [] : [record.externalId])]
  const found = await findAccount(
    context.campaignManager,
    record,
    own,
    mayAdopt ? fields?.email : undefined,
    {
      haveAddress: (emails) => isAddressContested(context.db, claim.endpoint, tenantId, userId, emails),
      haveAccount: (id) => isAccountOfAnother(context.db, claim.endpoint, tenantId, userId, id),
    },
  )
  if (found === 'contested') return linkedElsewhere
  // Two looks in vain are only two of one absence when none between them found it.
  if (found?.by === 'link' && record.missingSeconds !== undefined) await noteFound(context.db, claim)
  const lookup = { recentMs: recentRolesMs(claim), listOnly: roleRefused }
  const roles = await resolveRoles(context, record, found?.observed.account.roles, lookup)
  const plan = planAccount(accountSituation(userId, record, found, roles), context.policies)
  if (plan.kind !== 'blocked') notice(context, claim, record, found, plan)
  const isGuarded = plan.kind === 'delete' && record.deletion !== 'approved'
  if (isGuarded && !(await context.mayDelete(tenantId))) {
    return holdDeletion(context, claim, record, plan.observed)
  }
  return deliverPlan(context, claim, record, plan, roles.remainder)
}

/** Who is tried again may be tried because a role was made meanwhile, which only a list of after that shows. */
const recentRolesMs = ({ attempts, dueMs }: Claim): number =>
  attempts === 0 ? RECENT_ROLES_MS : Math.min(dueMs, RECENT_ROLES_MS)

/** An id, and an answer that is outstanding, mean nothing in another Campaign Manager. */
const isElsewhere = (record: AccountRecord, { endpoint }: Claim): boolean =>
  (record.campaignManagerId !== undefined || record.createKey !== undefined) && record.endpoint !== endpoint

const elsewhere: Attempt = {
  kind: 'waiting',
  reason: 'other_campaign_manager',
  detail: 'the account is recorded in another Campaign Manager than the one the tenant has',
}

/** What an operator should hear of: an account taken over, and one that somebody else changed. */
function notice(
  context: ReconcileContext,
  { tenantId, userId }: Claim,
  record: AccountRecord,
  found: FoundAccount | undefined,
  plan: AccountPlan,
): void {
  if (found?.by === 'email' && plan.kind !== 'absent') {
    const { id: accountId, roles } = found.observed.account
    context.log.warn(
      { tenantId, userId, accountId, roles },
      'existing Campaign Manager account adopted; its roles are foreign',
    )
  }
  // A write of ours whose answer was lost may be what changed it.
  if (record.campaignManagerId === undefined || record.writePendingSeconds !== undefined) return
  // Nor is it to be counted again what a comparison of the inventory had the user reconciled for.
  if (record.driftCounted) return
  const drift = driftSince(record, found)
  if (!drift) return
  // It is looked for more than once.
  if (drift === 'account_missing' && record.missingSeconds !== undefined) return
  context.onDrift(drift)
  const { campaignManagerId: accountId } = record
  context.log.warn({ tenantId, userId, accountId, drift }, 'somebody else changed the account')
}

function driftSince(
  { observedRoles }: AccountRecord,
  found: FoundAccount | undefined,
): 'account_missing' | 'roles_changed' | undefined {
  if (found?.by !== 'link') return 'account_missing'
  if (observedRoles && !sameRoles(observedRoles, found.observed.account.roles)) return 'roles_changed'
  return undefined
}
