import type { WaitingUser } from '../directory/waiting-users.ts'
import { printable } from './table.ts'

/** Of more nobody reads every line. */
export const MOST_WAITING = 100

/** A line about somebody whom Campaign Manager has not confirmed yet, and why. */
export function waitingLine(user: WaitingUser): string {
  const { tenant, userId, userName, since, removal } = user
  const who = userName === null ? userId : `${userId} (${userName})`
  const what = `the account of ${who} is not as it should be since ${since.toISOString()}`
  return `${printable(`tenant ${tenant}: ${what}${removal ? ' (access is to end)' : ''}${reason(user)}`)}\n`
}

function reason({ isTenantDisabled, failure, detail }: WaitingUser): string {
  if (isTenantDisabled) return ', because the tenant is disabled'
  if (failure === null) return ', and was not tried since; if that lasts, the log and the alerts say why'
  return `, because of ${failure}: ${detail ?? ''}`
}
