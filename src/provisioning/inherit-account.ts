import type { Kysely } from 'kysely'
import { RECONCILER } from '../audit/entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import { lockAccounts } from '../directory/accounts.ts'
import { findFormerUser, passAccountOn } from '../directory/former-users.ts'
import type { Attempt } from '../reconcile/attempt.ts'
import { type Claim, holdClaim, isClaimed } from '../reconcile/dirty-set.ts'
import { accountExternalId, accountFields } from './account-fields.ts'
import { ACCOUNT_LINKED_ELSEWHERE } from './delivery-record.ts'

const busy: Attempt = {
  kind: 'failed',
  scope: 'account',
  reason: ACCOUNT_LINKED_ELSEWHERE,
  detail: 'the account of the same person, who was deleted, is being worked on',
}

/**
 * Somebody deleted whose account was not, because the deletion is held or was called off, may be created anew: the new user
 * takes the account over, with what was granted on it, so that it follows the groups again.
 *
 * @returns the former user; undefined when there is none; or how the attempt ends
 */
export async function inheritAccount(
  db: Kysely<Database>,
  claim: Claim,
  record: AccountRecord,
): Promise<string | undefined | Attempt> {
  const { tenantId, userId } = claim
  const mayInherit = record.standing === 'awaiting' || record.standing === 'assigned'
  const hasOne = record.campaignManagerId !== undefined || record.createKey !== undefined
  if (!record.user || !mayInherit || hasOne) return undefined
  const { email } = accountFields(record.user)
  const externalId = accountExternalId(record.user, userId)
  const former = await findFormerUser(db, tenantId, { externalId, email })
  if (former === undefined) return undefined
  return inTransaction(db, async (trx) => {
    await lockAccounts(trx, tenantId, [former, userId])
    if (!(await holdClaim(trx, claim))) return { kind: 'lost' }
    if (await isClaimed(trx, tenantId, former)) return busy
    if (!(await passAccountOn(trx, tenantId, former, userId))) return undefined
    recordAudit(trx, tenantId, RECONCILER, {
      operation: 'account.link',
      resourceType: 'Account',
      resourceId: userId,
      detail: { formerUserId: former },
      subjects: { concerned: [former] },
    })
    return former
  })
}
