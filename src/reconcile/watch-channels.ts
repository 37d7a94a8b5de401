import { channel, tracingChannel } from 'node:diagnostics_channel'

/** Users are about to be marked by what runs at this moment. */
export interface MarkEvent {
  /** Set by who traces it: a W3C traceparent. */
  traceparent?: string
}

/** An attempt at one user. */
export interface AttemptEvent {
  readonly tenantId: number
  readonly userId: string
  /** With this one, since the last change. */
  readonly attempts: number
  /** Of the requests that marked the user, as far as they were traced. */
  readonly traceparents: readonly string[]
  /** Set when it has ended. */
  outcome?: string
  isDone?: boolean
}

export const markChannel = channel('campaign-manager-scim:mark')
export const attemptChannel = tracingChannel<unknown, AttemptEvent>('campaign-manager-scim:attempt')
