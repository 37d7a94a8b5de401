import type { AccountRecord } from '../directory/account-record.ts'
import { accountExternalId, accountFields } from './account-fields.ts'
import type { FoundAccount } from './find-account.ts'
import type { AccountSituation } from './plan-account.ts'
import type { ResolvedRoles } from './resolve-roles.ts'

/** What the role rule decides on: what the directory says of a user, and what Campaign Manager was found to hold. */
export const accountSituation = (
  userId: string,
  record: AccountRecord,
  found: FoundAccount | undefined,
  { wanted, observed, placeholder }: ResolvedRoles,
): AccountSituation => ({
  standing: record.standing,
  active: record.user?.active !== false,
  granted: record.granted,
  wanted,
  observed,
  placeholder: { ...placeholder, placed: record.placeholders },
  fields: record.user && accountFields(record.user),
  externalId: accountExternalId(record.user, userId),
  found,
  deletion: record.deletion,
  enabledBefore: record.enabledBefore,
})
