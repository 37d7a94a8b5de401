import { channel, tracingChannel } from 'node:diagnostics_channel'

/** Users were marked by what runs at this moment. */
export interface MarkedEvent {
  readonly tenantId: number
  readonly userIds: readonly string[]
}

/** An attempt at one user. */
export interface AttemptEvent {
  readonly tenantId: number
  readonly userId: string
  /** With this one, since the last change. */
  readonly attempts: number
  /** Set when it has ended. */
  outcome?: string
  isDone?: boolean
}

export const markedChannel = channel('campaign-manager-scim:marked')
export const attemptChannel = tracingChannel<unknown, AttemptEvent>('campaign-manager-scim:attempt')
