import type { Kysely } from 'kysely'
import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { inputOf, type ObservedAccount } from '../campaign-manager/messages.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import { notApplied } from './attempt-failure.ts'
import { isAsSeen } from './certainty.ts'
import { replacementOf } from './delivery-audit.ts'
import { intendHold } from './delivery-intent.ts'
import { recordHeld, recordNotApplied } from './delivery-record.ts'
import { type AccountPolicies, holds } from './plan-account.ts'
import { settling } from './settling.ts'

export interface HoldContext {
  readonly db: Kysely<Database>
  readonly campaignManager: CampaignManager
  readonly policies: AccountPolicies
}

const held: Attempt = {
  kind: 'waiting',
  reason: 'deletion_held',
  detail:
    'the account is disabled instead of deleted, because too many would be; see the command "tenant deletions"',
}

/** Disables an account that would be deleted, and leaves all else as it is. */
export async function holdDeletion(
  { db, campaignManager, policies }: HoldContext,
  claim: Claim,
  record: AccountRecord,
  observed: ObservedAccount,
): Promise<Attempt> {
  const { account, etag } = observed
  const writes = account.enabled || !isAsSeen(record, account)
  if (record.deletion === 'held' && !writes) return held
  const input = { ...inputOf(account), enabled: false }
  const write = { ...replacementOf(observed, input), operation: 'account.disable' as const }
  const intent = await intendHold(db, claim, {
    campaignManagerId: account.id,
    enabled: account.enabled,
    // A suspended user is not to get access by a decision about the deletion.
    mayBeEnabled: policies.onDeactivate === 'ignore' || record.user?.active !== false,
    untoldWrite: writes ? write : undefined,
  })
  if (intent === 'lost') return { kind: 'lost' }
  if (intent === 'overtaken') {
    return {
      kind: 'failed',
      scope: 'account',
      reason: 'deletion_overtaken',
      detail: 'the user, or the hold on deletions, changed while the account was about to be disabled',
    }
  }
  const written = writes
    ? await settling(db, claim, record, write, () => campaignManager.replaceAccount(account.id, input, etag))
    : observed
  if (!holds(written.account, input)) {
    await recordNotApplied(db, claim, write, account.id)
    return notApplied
  }
  return (await recordHeld(db, claim, record, written, writes ? write : undefined)) ? held : { kind: 'lost' }
}
