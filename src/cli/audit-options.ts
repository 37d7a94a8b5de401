import { AUDIT_OPERATIONS } from '../audit/entry.ts'
import { UsageError } from './command.ts'

export const auditOptions = {
  tenant: { type: 'string' },
  user: { type: 'string' },
  group: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  operation: { type: 'string' },
  limit: { type: 'string' },
  head: { type: 'string' },
  'since-sequence': { type: 'string' },
  'older-than-days': { type: 'string' },
  json: { type: 'boolean' },
} as const

export type AuditOptions = {
  readonly [Name in keyof typeof auditOptions]?: Name extends 'json' ? boolean : string
}

export function wholeNumber(text: string, name: string, least: number): number {
  if (!/^\d{1,15}$/.test(text) || Number(text) < least) {
    throw new UsageError(`--${name} must be a whole number, ${least} or more`)
  }
  return Number(text)
}

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/

/** Without a time of day, the day's begin in UTC. */
export function timeOption(text: string | undefined, name: string): Date | undefined {
  if (text === undefined) return undefined
  const time = new Date(text)
  if (!TIME.test(text) || Number.isNaN(time.getTime())) {
    throw new UsageError(
      `--${name} must be a date, 2026-03-01, or a time with its zone, 2026-03-01T12:00:00Z`,
    )
  }
  return time
}

export function operationOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (!AUDIT_OPERATIONS.some((name) => name === text || name.startsWith(`${text}.`))) {
    throw new UsageError(`there is no operation '${text}'; there are ${AUDIT_OPERATIONS.join(', ')}`)
  }
  return text
}

export function headOption(text: string | undefined): { sequence: number; hash: string } | undefined {
  if (text === undefined) return undefined
  const [, sequence, hash] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? []
  if (sequence === undefined || hash === undefined) {
    throw new UsageError('--head must be SEQUENCE:HASH, as "audit head" and the log show it')
  }
  return { sequence: Number(sequence), hash: hash.toLowerCase() }
}
