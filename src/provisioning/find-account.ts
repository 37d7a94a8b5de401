import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import type { ObservedAccount } from '../campaign-manager/messages.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { FoundBy } from './plan-account.ts'

export interface FoundAccount {
  readonly by: FoundBy
  readonly observed: ObservedAccount
}

export interface Rivals {
  /** Whether another user holds, makes or gives up an account of one of these addresses. */
  haveAddress(emails: readonly string[]): Promise<boolean>
  haveAccount(campaignManagerId: string): Promise<boolean>
}

/**
 * Looks for a user's account: by the id recorded for it, then, should that be unknown or gone, by the e-mail it was or may
 * have been created with, then by the user's present e-mail. An account counts as absent only after each of these said so.
 *
 * @param ownExternalIds the external ids by which an account is known as this user's
 * @param currentEmail undefined when no account may be adopted
 * @param rivals other users of the same address, or the same account
 */
export async function findAccount(
  campaignManager: CampaignManager,
  record: AccountRecord,
  ownExternalIds: readonly string[],
  currentEmail: string | undefined,
  rivals: Rivals,
): Promise<FoundAccount | 'contested' | undefined> {
  if (record.campaignManagerId !== undefined) {
    const observed = await campaignManager.getAccount(record.campaignManagerId)
    if (observed) return { by: 'link', observed }
  }
  const emails = addressesToTry(record, currentEmail)
  if (currentEmail !== undefined && (await rivals.haveAddress(emails))) return 'contested'
  let byEmail: FoundAccount | undefined
  for (const email of emails) {
    const listed = await campaignManager.findAccountByEmail(email)
    // The list carries no ETag, and a second, direct look is what a write starts from.
    const observed = listed && (await campaignManager.getAccount(listed.id))
    if (!observed) continue
    const { externalId } = observed.account
    if (externalId !== undefined && ownExternalIds.includes(externalId)) {
      // Somebody created anew carries the same external id.
      if (!(await rivals.haveAccount(observed.account.id))) return { by: 'external_id', observed }
      if (currentEmail !== undefined) return 'contested'
      continue
    }
    // An account at a former address is somebody else's by now; only the present address may be adopted.
    if (email === currentEmail?.toLowerCase()) byEmail = { by: 'email', observed }
  }
  return byEmail
}

/**
 * The address of an account that was linked, or whose creation was never answered, and the present one. Without either,
 * there is nothing at a former address that could be this user's.
 */
function addressesToTry(record: AccountRecord, currentEmail: string | undefined): string[] {
  const mayExist = record.campaignManagerId !== undefined || record.createKey !== undefined
  const addresses = [mayExist ? record.email : undefined, currentEmail]
  return [...new Set(addresses.flatMap((address) => address?.toLowerCase() ?? []))]
}
