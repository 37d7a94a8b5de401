import type { Transaction } from 'kysely'
import { type AuditEvent, type AuditOperation, RECONCILER } from '../audit/entry.ts'
import { lastAccountEntry } from '../audit/last-account-entry.ts'
import { recordAudit } from '../audit/record.ts'
import type { Account, AccountInput, ObservedAccount } from '../campaign-manager/messages.ts'
import type { Database } from '../db/tables.ts'
import type { AccountRecord } from '../directory/account-record.ts'
import type { Claim } from '../reconcile/dirty-set.ts'
import { sameRoles } from '../roles/role-rule.ts'
import { editedFields } from './plan-account.ts'

/** A write to Campaign Manager, as the audit trail tells of it: what the account is to hold, and what it held before. */
export interface AccountWrite {
  readonly operation: AuditOperation
  readonly accountId: string | undefined
  readonly attributes: readonly string[]
  readonly wantedRoles: readonly string[]
  readonly observedRoles: readonly string[]
}

export const creationOf = (input: AccountInput): AccountWrite => ({
  operation: 'account.create',
  accountId: undefined,
  attributes: Object.keys(input),
  wantedRoles: input.roles,
  observedRoles: [],
})

export const replacementOf = (
  { account }: ObservedAccount,
  input: AccountInput,
  release = false,
): AccountWrite => ({
  operation: release ? 'account.release' : replacing(account, input),
  accountId: account.id,
  attributes: [
    ...editedFields(account, input),
    ...(account.enabled === input.enabled ? [] : ['enabled']),
    ...(sameRoles(account.roles, input.roles) ? [] : ['roles']),
  ],
  wantedRoles: input.roles,
  observedRoles: account.roles,
})

function replacing(account: Account, input: AccountInput): AuditOperation {
  if (account.enabled === input.enabled) return 'account.replace'
  return input.enabled ? 'account.enable' : 'account.disable'
}

export const deletionOf = ({ account }: ObservedAccount): AccountWrite => ({
  operation: 'account.delete',
  accountId: account.id,
  attributes: [],
  wantedRoles: [],
  observedRoles: account.roles,
})

const tell = (
  trx: Transaction<Database>,
  { tenantId, userId }: Claim,
  event: Omit<AuditEvent, 'resourceType' | 'resourceId'>,
): void => recordAudit(trx, tenantId, RECONCILER, { resourceType: 'Account', resourceId: userId, ...event })

/** A write that was done, and seen to be. */
export function tellDone(
  trx: Transaction<Database>,
  claim: Claim,
  { accountId, ...write }: AccountWrite,
  createdId?: string,
): void {
  tell(trx, claim, { ...write, detail: { accountId: accountId ?? createdId } })
}

/** A write that was not done, or may not have been. Once, and not again while it fails in the same way. */
export async function tellFailed(
  trx: Transaction<Database>,
  claim: Claim,
  { accountId, ...write }: AccountWrite,
  result: 'failed' | 'unknown',
  reason: string,
): Promise<void> {
  const last = await lastAccountEntry(trx, claim.tenantId, claim.userId)
  const isSame =
    last?.operation === write.operation &&
    last.result === result &&
    last.reason === reason &&
    sameRoles(last.wantedRoles ?? [], write.wantedRoles)
  if (!isSame) tell(trx, claim, { ...write, result, reason, detail: { accountId } })
}

/**
 * Another account is this user's from now on, or none: what that says of the one before, and whose the new one was. One
 * that carries an external id was ours; one that carries none was found by its address.
 */
export function tellLink(
  trx: Transaction<Database>,
  claim: Claim,
  { campaignManagerId: before, deletionAsked }: AccountRecord,
  account: Account | undefined,
): void {
  if (before === account?.id) return
  if (before !== undefined && deletionAsked) {
    tell(trx, claim, {
      operation: 'account.delete',
      reason: 'found_absent',
      wantedRoles: [],
      detail: { accountId: before },
    })
  } else if (before !== undefined) {
    tell(trx, claim, { operation: 'account.missing', detail: { accountId: before } })
  }
  if (!account) return
  tell(trx, claim, {
    operation: account.externalId ? 'account.link' : 'account.adopt',
    observedRoles: account.roles,
    detail: { accountId: account.id },
  })
}

/** A write was begun, and nobody knows what became of it. */
export function tellInterrupted(
  trx: Transaction<Database>,
  claim: Claim,
  { accountId, ...write }: AccountWrite,
): void {
  tell(trx, claim, { ...write, result: 'unknown', reason: 'interrupted', detail: { accountId } })
}
