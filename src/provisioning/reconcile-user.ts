import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import type { RoleCatalog } from '../campaign-manager/role-catalog.ts'
import { type AccountRecord, isAddressContested, loadAccountRecord } from '../directory/account-record.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import type { Attempt } from '../reconcile/worker.ts'
import { matchRole } from '../roles/role-name.ts'
import { sameRoles } from '../roles/role-rule.ts'
import { accountExternalId, accountFields } from './account-fields.ts'
import { attemptFailed, linkedElsewhere } from './attempt-failure.ts'
import { type DeliveryContext, deliverPlan } from './deliver-plan.ts'
import { type FoundAccount, findAccount } from './find-account.ts'
import { type AccountPolicies, planAccount } from './plan-account.ts'

export interface ReconcileContext extends DeliveryContext {
  readonly campaignManager: CampaignManager
  readonly roleCatalog: RoleCatalog
  readonly placeholderRole: string
  readonly policies: AccountPolicies
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
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      return await reconcileOnce(context, claim)
    } catch (error) {
      if (isRoleUnknown(error)) context.roleCatalog.invalidate()
      if (isConflict(error) && conflicts < MAX_CONFLICTS) continue
      return attemptFailed(error)
    }
  }
}

const isRoleUnknown = (error: unknown): boolean =>
  error instanceof CampaignManagerError && error.code === 'role_unknown'

/** The account, or the list of roles, is not what it was when it was read, so the answer is to read again, not to wait. */
const isConflict = (error: unknown): boolean =>
  error instanceof CampaignManagerError &&
  ['precondition_failed', 'user_exists', 'not_found', 'role_unknown'].includes(error.code)

async function reconcileOnce(context: ReconcileContext, claim: Claim): Promise<Attempt> {
  const record = await loadAccountRecord(context.db, claim.tenantId, claim.userId)
  if (!record) return { kind: 'done', outcome: 'unchanged' }
  const roles = await resolveRoles(context, record)
  const fields = record.user && accountFields(record.user)
  const externalId = accountExternalId(record.user, claim.userId)
  const mayAdopt = record.standing === 'awaiting' || record.standing === 'assigned'
  const own = [externalId, claim.userId, ...(record.externalId === undefined ? [] : [record.externalId])]
  const found = await findAccount(
    context.campaignManager,
    record,
    own,
    mayAdopt ? fields?.email : undefined,
    (emails) => isAddressContested(context.db, claim.tenantId, claim.userId, emails),
  )
  if (found === 'contested') return linkedElsewhere
  noticeDrift(context, record, found)
  const known = record.granted.filter((role) => found?.observed.account.roles.includes(role))
  const { wanted, held } = roles.match(known)
  const plan = planAccount(
    {
      standing: record.standing,
      active: record.user?.active !== false,
      granted: record.granted,
      wanted,
      placeholder: roles.placeholder,
      fields,
      externalId,
      found,
    },
    context.policies,
  )
  if (found?.by === 'email' && plan.kind !== 'blocked' && plan.kind !== 'absent') {
    context.log.warn(
      {
        tenantId: claim.tenantId,
        userId: claim.userId,
        accountId: found.observed.account.id,
        roles: found.observed.account.roles,
      },
      'existing Campaign Manager account adopted; its roles are foreign',
    )
  }
  return deliverPlan(context, claim, record, plan, held.length > 0 ? heldAttempt(held) : undefined)
}

function noticeDrift(
  context: ReconcileContext,
  record: AccountRecord,
  found: FoundAccount | undefined,
): void {
  if (record.campaignManagerId === undefined || record.observedRoles === undefined) return
  if (found?.by !== 'link') context.onDrift('account_missing')
  else if (!sameRoles(record.observedRoles, found.observed.account.roles)) context.onDrift('roles_changed')
}

const heldAttempt = (held: readonly string[]): Attempt => ({
  kind: 'waiting',
  reason: 'role_unknown',
  detail: `no Campaign Manager role is named ${held.map((name) => `'${name}'`).join(', ')}`,
})

interface ResolvedRoles {
  readonly placeholder: { readonly name: string; readonly exists: boolean }
  /** @param known roles that the account holds from us, which count even when the role list lacks them */
  match(known: readonly string[]): { wanted: string[]; held: string[] }
}

/** The role list is asked for only when a role is to be given, so that its failure cannot delay a removal. */
async function resolveRoles(context: ReconcileContext, record: AccountRecord): Promise<ResolvedRoles> {
  const gives = record.groupNames.length > 0 || record.standing === 'awaiting'
  const catalog = gives ? await context.roleCatalog.get() : []
  const placeholder = matchRole(context.placeholderRole, catalog)
  return {
    placeholder: { name: placeholder ?? context.placeholderRole, exists: placeholder !== undefined },
    match(known) {
      const wanted: string[] = []
      const held: string[] = []
      for (const name of record.groupNames) {
        const role = matchRole(name, catalog) ?? matchRole(name, known)
        if (role === undefined) held.push(name)
        else wanted.push(role)
      }
      return { wanted, held }
    },
  }
}
