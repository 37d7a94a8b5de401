import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import { type AccountInput, inputOf, type ObservedAccount } from '../campaign-manager/messages.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import type { Attempt } from '../reconcile/worker.ts'
import type { RoleTarget } from '../roles/role-rule.ts'
import {
  dropCreateKey,
  finishAbsent,
  finishObserved,
  intendWrite,
  keepClaim,
  recordWrite,
} from './delivery-record.ts'
import { type AccountPlan, holds } from './plan-account.ts'

export interface DeliveryContext {
  readonly db: Kysely<Database>
  readonly campaignManager: CampaignManager
  readonly onRoleChange: (change: 'added' | 'removed', count: number) => void
}

/** Another process has taken the user over; it will look for itself. */
const lost: Attempt = { kind: 'lost' }

/**
 * Carries a plan out: the intent, one write, what it led to.
 *
 * @param remainder what keeps the user waiting once the plan is carried out, if anything does
 */
export async function deliverPlan(
  context: DeliveryContext,
  claim: Claim,
  record: AccountRecord,
  plan: AccountPlan,
  remainder: Attempt | undefined,
): Promise<Attempt> {
  switch (plan.kind) {
    case 'blocked':
      return { kind: 'waiting', reason: plan.reason, detail: plan.detail }
    case 'absent':
      return finishAbsent(context.db, claim, 'unchanged')
    case 'unchanged':
      return finish(context, claim, plan.observed, plan.rule, 'unchanged', remainder)
    case 'delete': {
      if (!(await keepClaim(context.db, claim))) return lost
      const { account, etag } = plan.observed
      await context.campaignManager.deleteAccount(account.id, etag)
      countRoleChanges(context, account.roles, [])
      return finishAbsent(context.db, claim, 'deleted')
    }
    case 'create':
      return create(context, claim, record, plan, remainder)
    case 'replace':
      return replace(context, claim, record, plan, remainder)
  }
}

async function create(
  context: DeliveryContext,
  claim: Claim,
  record: AccountRecord,
  plan: AccountPlan & { kind: 'create' },
  remainder: Attempt | undefined,
): Promise<Attempt> {
  const { input, rule } = plan
  const createKey = pendingKey(record, input) ?? randomUUID()
  if (!(await intendWrite(context.db, claim, record, input, rule, { createKey }))) return lost
  let observed: ObservedAccount
  try {
    observed = await context.campaignManager.createAccount(input, createKey)
  } catch (error) {
    if (isAnswered(error)) await dropCreateKey(context.db, claim)
    throw error
  }
  countRoleChanges(context, [], observed.account.roles)
  return finishVerified(context, claim, observed, input, rule, 'created', remainder)
}

/**
 * The key of a creation whose answer never came is used again: should it have been applied after all, its answer comes
 * now, and no second account. A key belongs to one address: an answer about another would not be this user's.
 */
function pendingKey(record: AccountRecord, input: AccountInput): string | undefined {
  return record.email?.toLowerCase() === input.email.toLowerCase() ? record.createKey : undefined
}

/** Campaign Manager itself answered, and would answer a used key the same way for ever. */
const isAnswered = (error: unknown): boolean =>
  error instanceof CampaignManagerError && !['timeout', 'network', 'malformed'].includes(error.code)

async function replace(
  context: DeliveryContext,
  claim: Claim,
  record: AccountRecord,
  plan: AccountPlan & { kind: 'replace' },
  remainder: Attempt | undefined,
): Promise<Attempt> {
  const { observed, input, rule, release } = plan
  const { id } = observed.account
  if (!(await intendWrite(context.db, claim, record, input, rule, { campaignManagerId: id }))) return lost
  let written: ObservedAccount
  try {
    written = await context.campaignManager.replaceAccount(id, input, observed.etag)
  } catch (error) {
    if (!isFieldsRefused(error)) throw error
    return replaceRolesOnly(context, claim, plan, error)
  }
  countRoleChanges(context, observed.account.roles, written.account.roles)
  if (release && holds(written.account, input)) return finishAbsent(context.db, claim, 'released')
  return finishVerified(context, claim, written, input, rule, 'replaced', remainder)
}

/** An e-mail that is taken, or a value that Campaign Manager finds invalid. */
const isFieldsRefused = (error: unknown): error is CampaignManagerError =>
  error instanceof CampaignManagerError && (error.code === 'user_exists' || error.code === 'invalid')

/** A field that Campaign Manager refuses must not keep a role on an account: the roles are written without it. */
async function replaceRolesOnly(
  context: DeliveryContext,
  claim: Claim,
  plan: AccountPlan & { kind: 'replace' },
  cause: CampaignManagerError,
): Promise<Attempt> {
  const { observed, rule } = plan
  const input: AccountInput = {
    ...inputOf(observed.account),
    enabled: plan.input.enabled,
    roles: [...plan.input.roles],
  }
  if (!holds(observed.account, input)) {
    const written = await context.campaignManager.replaceAccount(observed.account.id, input, observed.etag)
    countRoleChanges(context, observed.account.roles, written.account.roles)
    await recordWrite(context.db, claim, written, rule)
  }
  const reason = cause.code === 'user_exists' ? 'email_taken' : 'invalid'
  return { kind: 'waiting', reason, detail: cause.message }
}

/** A write counts as done when what Campaign Manager answers is what was asked for. */
async function finishVerified(
  context: DeliveryContext,
  claim: Claim,
  written: ObservedAccount,
  input: AccountInput,
  rule: RoleTarget,
  outcome: 'created' | 'replaced',
  remainder: Attempt | undefined,
): Promise<Attempt> {
  if (holds(written.account, input)) return finish(context, claim, written, rule, outcome, remainder)
  await recordWrite(context.db, claim, written, rule)
  return {
    kind: 'failed',
    scope: 'account',
    reason: 'not_applied',
    detail: 'Campaign Manager answered a write with an account that differs from what was written',
  }
}

/** The user stays dirty while something remains to be waited for. */
async function finish(
  { db }: DeliveryContext,
  claim: Claim,
  observed: ObservedAccount,
  rule: RoleTarget,
  outcome: 'unchanged' | 'created' | 'replaced',
  remainder: Attempt | undefined,
): Promise<Attempt> {
  if (!remainder) return finishObserved(db, claim, observed, rule, outcome)
  return (await recordWrite(db, claim, observed, rule)) ? remainder : lost
}

function countRoleChanges(
  context: DeliveryContext,
  before: readonly string[],
  after: readonly string[],
): void {
  context.onRoleChange('added', after.filter((role) => !before.includes(role)).length)
  context.onRoleChange('removed', before.filter((role) => !after.includes(role)).length)
}
