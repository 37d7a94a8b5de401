import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import { inputOf, isSameAddress, type ObservedAccount } from '../campaign-manager/messages.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import { linkedElsewhere, notApplied } from './attempt-failure.ts'
import { isAsSeen, isCarriedOut, isMissing, isUnsettled, type Overtaken } from './certainty.ts'
import { type AccountWrite, creationOf, deletionOf, replacementOf } from './delivery-audit.ts'
import { intendDelete, intendWrite } from './delivery-intent.ts'
import {
  ACCOUNT_LINKED_ELSEWHERE,
  EMAIL_TAKEN,
  finishAbsent,
  finishObserved,
  forgetCreation,
  noteMissing,
  recordAccount,
  recordFailed,
  recordNotApplied,
  type Seen,
  spendKey,
} from './delivery-record.ts'
import { type AccountPlan, holds } from './plan-account.ts'
import { isAnswered, settling } from './settling.ts'

export interface DeliveryContext {
  readonly db: Kysely<Database>
  readonly campaignManager: CampaignManager
  readonly onRoleChange: (change: 'added' | 'removed', count: number) => void
  /** By the attempt before this one, which starts over. */
  readonly overtaken?: Overtaken | undefined
}

/** One delivery, as its steps hand it on. */
interface Delivery {
  readonly context: DeliveryContext
  readonly claim: Claim
  readonly record: AccountRecord
  /** What keeps the user waiting once the plan is carried out, if anything does. */
  readonly remainder: Attempt | undefined
}

type Planned<Kind extends AccountPlan['kind']> = Extract<AccountPlan, { kind: Kind }>

/** Another process has taken the user over; it will look for itself. */
const lost: Attempt = { kind: 'lost' }

/** Carries a plan out: the intent, one write, what it led to. */
export async function deliverPlan(
  context: DeliveryContext,
  claim: Claim,
  record: AccountRecord,
  plan: AccountPlan,
  remainder: Attempt | undefined,
): Promise<Attempt> {
  const delivery: Delivery = { context, claim, record, remainder }
  switch (plan.kind) {
    case 'blocked':
      await letGo(delivery)
      if (plan.reason === ACCOUNT_LINKED_ELSEWHERE) return linkedElsewhere
      return { kind: 'waiting', reason: plan.reason, detail: plan.detail }
    case 'absent':
      return absent(delivery)
    case 'unchanged':
      if (isAsSeen(record, plan.observed.account) || isCarriedOut(context.overtaken, plan.observed)) {
        return finish(delivery, { observed: plan.observed, rule: plan.rule, write: undefined }, 'unchanged')
      }
      return replace(delivery, { ...plan, kind: 'replace' })
    case 'create':
      return create(delivery, plan)
    case 'replace':
      return replace(delivery, plan)
    case 'delete':
      return remove(delivery, plan)
  }
}

async function lookAgain({ context, claim }: Delivery): Promise<Attempt> {
  if (!(await noteMissing(context.db, claim))) return lost
  return {
    kind: 'failed',
    scope: 'account',
    reason: 'account_missing',
    detail: 'the account is not to be found, and is looked for once more before that is believed',
  }
}

/** A creation that was not answered, long ago, must not keep others from the address of somebody who is to have no account. */
async function letGo({ context, claim, record }: Delivery): Promise<void> {
  if (record.createKey === undefined || record.campaignManagerId !== undefined || isUnsettled(record)) return
  await forgetCreation(context.db, claim, record)
}

const unsettled: Attempt = {
  kind: 'failed',
  scope: 'account',
  reason: 'create_unsettled',
  detail:
    'a creation was not answered, or refused as if the account were there already, and it may still appear',
}

async function absent(delivery: Delivery): Promise<Attempt> {
  const { context, claim, record } = delivery
  if (isMissing(record)) return lookAgain(delivery)
  if (isUnsettled(record)) return unsettled
  return finishAbsent(context.db, claim, record, 'unchanged', undefined)
}

async function remove({ context, claim, record }: Delivery, plan: Planned<'delete'>): Promise<Attempt> {
  const { account, etag } = plan.observed
  // What an operator let go ahead is no reason to hold anything.
  const write = deletionOf(plan.observed)
  if (!(await intendDelete(context.db, claim, account.id, write, record.deletion !== 'approved'))) return lost
  const outcome = await settling(context.db, claim, record, write, () =>
    context.campaignManager.deleteAccount(account.id, etag),
  )
  if (outcome === 'absent') {
    await recordFailed(context.db, claim, record, write, {
      result: 'failed',
      reason: 'not_found',
      settles: false,
    })
    throw vanished('the account to be deleted is not to be found')
  }
  countRoleChanges(context, account.roles, [])
  return finishAbsent(context.db, claim, record, 'deleted', write)
}

/**
 * The key of a creation whose answer never came is used again: should it have been applied after all, its answer comes
 * now, and no second account. A key belongs to one address: an answer about another would not be this user's.
 */
async function create(delivery: Delivery, plan: Planned<'create'>): Promise<Attempt> {
  const { context, claim, record } = delivery
  const { input, rule } = plan
  // Two accounts cannot have one address, so the answer tells of another one that is there. Not so where that one has, or may
  // have, another address: it would go on beside the new one. A write on its way may have been about the address.
  const isElsewhere = record.email !== undefined && !isSameAddress(record.email, input.email)
  const mayBeElsewhere = isElsewhere || record.writePendingSeconds !== undefined
  if (mayBeElsewhere && isMissing(record)) return lookAgain(delivery)
  if (isElsewhere && isUnsettled(record)) return unsettled
  const reusedKey = isElsewhere ? undefined : record.createKey
  const createKey = reusedKey ?? randomUUID()
  const write = creationOf(input)
  if (!(await intendWrite(context.db, claim, record, input, rule, write, { createKey }))) return lost
  const created = await settling(context.db, claim, record, write, () =>
    context.campaignManager.createAccount(input, createKey),
  ).catch(async (error) => {
    // The key would bring that answer again.
    if (isAnswered(error)) await spendKey(context.db, claim)
    throw error
  })
  const observed = reusedKey === undefined ? created : await stillThere(delivery, created)
  countRoleChanges(context, [], observed.account.roles)
  return finishVerified(delivery, observed, plan, write, 'created')
}

/** The answer to a key used before is that of the first time: the account may be gone since. */
async function stillThere(
  { context, claim }: Delivery,
  { account }: ObservedAccount,
): Promise<ObservedAccount> {
  const observed = await context.campaignManager.getAccount(account.id)
  if (observed) return observed
  await spendKey(context.db, claim)
  throw vanished('the account created before is gone')
}

/** What was there a moment ago is not: look again. */
const vanished = (message: string) =>
  new CampaignManagerError(message, { code: 'not_found', mayHaveApplied: false })

async function replace(delivery: Delivery, plan: Planned<'replace'>): Promise<Attempt> {
  const { context, claim, record } = delivery
  const { observed, input, rule } = plan
  const { id } = observed.account
  const write = replacementOf(observed, input, plan.release)
  const target = { account: observed.account }
  if (!(await intendWrite(context.db, claim, record, input, rule, write, target))) return lost
  const { email, externalId } = observed.account
  let written: ObservedAccount
  try {
    written = await settling(context.db, claim, { ...record, email, externalId }, write, () =>
      context.campaignManager.replaceAccount(id, input, observed.etag),
    )
  } catch (error) {
    if (!isFieldsRefused(error)) throw error
    return replaceRolesOnly(delivery, plan, error)
  }
  countRoleChanges(context, observed.account.roles, written.account.roles)
  if (plan.release && holds(written.account, input)) {
    return finishAbsent(context.db, claim, record, 'released', write)
  }
  return finishVerified(delivery, written, plan, write, 'replaced')
}

/** An e-mail that is taken, or a value that Campaign Manager finds invalid. */
const isFieldsRefused = (error: unknown): error is CampaignManagerError =>
  error instanceof CampaignManagerError && (error.code === 'user_exists' || error.code === 'invalid')

/** A field that Campaign Manager refuses must not keep a role on an account: the roles are written without it. */
async function replaceRolesOnly(
  { context, claim, record }: Delivery,
  { observed, input, rule }: Planned<'replace'>,
  cause: CampaignManagerError,
): Promise<Attempt> {
  // Whose account it is was recorded with the first intent.
  const linked = { ...record, campaignManagerId: observed.account.id }
  const rolesOnly = { ...inputOf(observed.account), enabled: input.enabled, roles: [...input.roles] }
  let written = observed
  let write: AccountWrite | undefined
  if (!holds(observed.account, rolesOnly) || !isAsSeen(record, observed.account)) {
    write = replacementOf(observed, rolesOnly)
    const target = { account: observed.account }
    if (!(await intendWrite(context.db, claim, linked, rolesOnly, rule, write, target))) return lost
    written = await settling(context.db, claim, linked, write, () =>
      context.campaignManager.replaceAccount(observed.account.id, rolesOnly, observed.etag),
    )
    countRoleChanges(context, observed.account.roles, written.account.roles)
  }
  if (holds(written.account, rolesOnly)) {
    await recordAccount(context.db, claim, linked, { observed: written, rule, write })
  } else if (write) await recordNotApplied(context.db, claim, write, written.account.id)
  const { message: detail } = cause
  if (cause.code !== 'user_exists') return { kind: 'waiting', reason: 'invalid', detail }
  // A colleague may be giving the address up in an attempt beside this one, which does not see anybody wait for it yet.
  if (claim.attempts < 2) return { kind: 'failed', scope: 'account', reason: EMAIL_TAKEN, detail }
  return { kind: 'waiting', reason: EMAIL_TAKEN, detail }
}

/** A write counts as done when what Campaign Manager answers is what was asked for. Until then the intent stands. */
async function finishVerified(
  delivery: Delivery,
  written: ObservedAccount,
  { input, rule }: Planned<'create' | 'replace'>,
  write: AccountWrite,
  outcome: 'created' | 'replaced',
): Promise<Attempt> {
  if (holds(written.account, input)) return finish(delivery, { observed: written, rule, write }, outcome)
  await recordNotApplied(delivery.context.db, delivery.claim, write, written.account.id)
  return notApplied
}

/** The user stays dirty while something remains to be waited for. */
async function finish(
  { context, claim, record, remainder }: Delivery,
  seen: Seen,
  outcome: 'unchanged' | 'created' | 'replaced',
): Promise<Attempt> {
  if (!remainder) return finishObserved(context.db, claim, record, seen, outcome)
  return (await recordAccount(context.db, claim, record, seen)) ? remainder : lost
}

function countRoleChanges(
  context: DeliveryContext,
  before: readonly string[],
  after: readonly string[],
): void {
  context.onRoleChange('added', after.filter((role) => !before.includes(role)).length)
  context.onRoleChange('removed', before.filter((role) => !after.includes(role)).length)
}
