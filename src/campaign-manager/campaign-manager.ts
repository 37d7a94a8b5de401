import type { Account, AccountInput, ObservedAccount, Role } from './messages.ts'

/** Campaign Manager's users and roles. Every method fails with a CampaignManagerError. */
export type CampaignManager = {
  /** Every role; all pages. */
  listRoles(): Promise<Role[]>
  /** The one account of this address, compared without case. */
  findAccountByEmail(email: string): Promise<Account | undefined>
  /** Undefined only when Campaign Manager itself says that there is no such account. */
  getAccount(id: string): Promise<ObservedAccount | undefined>
  /** A key used before gets the first answer again, a refusal too: a new attempt after a refusal needs a new key. */
  createAccount(input: AccountInput, idempotencyKey: string): Promise<ObservedAccount>
  /** Replaces the whole record; with an etag only while it is the one seen before (else precondition_failed). */
  replaceAccount(id: string, input: AccountInput, etag: string | undefined): Promise<ObservedAccount>
  deleteAccount(id: string, etag: string | undefined): Promise<'deleted' | 'absent'>
  /** A page of all accounts: the first, or the one that the page before names. */
  listAccounts(pageToken?: string): Promise<AccountPage>
  /** Breaks off the calls under way. */
  close(): Promise<void>
}

/** `nextPageToken` is undefined on the last page. */
export type AccountPage = { accounts: Account[]; nextPageToken: string | undefined }

export type Operation =
  | 'list_roles'
  | 'find_account'
  | 'get_account'
  | 'create_account'
  | 'replace_account'
  | 'delete_account'
  | 'list_accounts'
