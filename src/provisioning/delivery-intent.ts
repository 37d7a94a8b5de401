import type { Kysely, Transaction } from 'kysely'
import type { Account, AccountInput } from '../campaign-manager/messages.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import {
  type HoldIntent,
  recordDeletionIntent,
  recordHoldIntent,
  recordIntent,
} from '../directory/account-writes.ts'
import { recordDeletion, shareHold } from '../directory/deletion-holds.ts'
import { awaitTenantSettings } from '../directory/tenant-settings.ts'
import { type Claim, holdForWrite } from '../reconcile/dirty-set.ts'
import { grantIntent, placedRoles, type RoleTarget } from '../roles/role-rule.ts'
import { type AccountWrite, tellLink } from './delivery-audit.ts'
import { refusingTaken, whileHeld } from './held-claim.ts'

/**
 * Records what is about to be written. False when the claim was lost, or the tenant's settings changed, and then nothing may be
 * written.
 */
export async function intendWrite(
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
  input: AccountInput,
  rule: RoleTarget,
  write: AccountWrite,
  target: { account?: Account; createKey?: string },
): Promise<boolean> {
  const intend = async (trx: Transaction<Database>) => {
    tellLink(trx, claim, record, target.account)
    await recordIntent(trx, claim.tenantId, claim.userId, {
      endpoint: claim.endpoint,
      campaignManagerId: target.account?.id,
      createKey: target.createKey,
      granted: grantIntent(record.granted, rule.wanted),
      placeholders: grantIntent(record.placeholders, placedRoles(rule)),
      email: input.email,
      externalId: input.externalId,
      untoldWrite: write,
    })
  }
  return whileHeld(db, claim, intend, holdForWrite)
}

/**
 * Records that a deletion is about to be asked for. False when the claim was lost.
 *
 * @param counts whether the deletion guard is to count it
 */
export const intendDelete = (
  db: Kysely<Database>,
  claim: Claim,
  campaignManagerId: string,
  write: AccountWrite,
  counts: boolean,
): Promise<boolean> => {
  const intend = async (trx: Transaction<Database>) => {
    await recordDeletionIntent(trx, claim.tenantId, claim.userId, {
      endpoint: claim.endpoint,
      campaignManagerId,
      untoldWrite: write,
    })
    if (counts) await recordDeletion(trx, claim.tenantId, claim.userId)
  }
  return whileHeld(db, claim, intend, async (trx) => {
    // What counts the deletion refers to the tenant, which must not be waited for with the account in hand.
    await awaitTenantSettings(trx, claim.tenantId)
    return holdForWrite(trx, claim)
  })
}

/**
 * Records that an account is about to be disabled instead of deleted. `overtaken` when the hold has ended, or the account is
 * not to be deleted any more: then nothing may be written.
 */
export async function intendHold(
  db: Kysely<Database>,
  claim: Claim,
  intent: Omit<HoldIntent, 'endpoint'>,
): Promise<'recorded' | 'overtaken' | 'lost'> {
  const { tenantId, userId } = claim
  return refusingTaken(db, async (trx) => {
    // Whoever ends a hold locks it first, and then the accounts.
    const isHold = await shareHold(trx, tenantId)
    if (!(await holdForWrite(trx, claim))) return 'lost'
    const { endpoint } = claim
    const isHeld = isHold && (await recordHoldIntent(trx, tenantId, userId, { ...intent, endpoint }))
    return isHeld ? 'recorded' : 'overtaken'
  })
}
