import { createHash } from 'node:crypto'
import type { Effect } from './entry.ts'

/**
 * What of an entry is hashed. The canonical form is its JSON in UTF-8 with all of these names, without white space, the names of
 * every object in the order of their code units (which is that of the alphabet here), strings escaped as JSON.stringify does (only
 * `"`, `\` and control characters below U+0020), numbers whole. `at` is UTC with milliseconds.
 *
 *     hash = SHA-256( hash of the entry before it, 32 bytes ‖ canonical form )
 *
 * The hash before a tenant's first entry is 32 zero bytes. docs/audit.md says the same to those who verify elsewhere.
 */
export interface EntryContent {
  readonly actor: string
  readonly at: string
  readonly attributes: readonly string[]
  readonly detail: Readonly<Record<string, unknown>>
  readonly observedRoles: readonly string[] | null
  readonly operation: string
  readonly reason: string | null
  readonly requestId: string | null
  readonly resourceId: string | null
  readonly resourceType: string
  readonly result: string
  readonly sequence: number
  readonly tenantId: number
  readonly wantedRoles: readonly string[] | null
}

export const FIRST_HASH: Buffer = Buffer.alloc(32)

export const hashEntry = (previous: Buffer, content: EntryContent): Buffer =>
  createHash('sha256').update(previous).update(canonicalJson(content)).digest()

export const canonicalJson = (value: unknown): string => JSON.stringify(sorted(value))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]))
}

/** A user whom an entry about something else concerns. */
export interface Subject {
  readonly userId: string
  readonly effect: Effect
}

/** SHA-256 over a line `<user id> <effect>\n` for each, in the order of the lines. */
export function digestSubjects(subjects: readonly Subject[]): string {
  const digest = createHash('sha256')
  for (const line of subjects.map(({ userId, effect }) => `${userId} ${effect}\n`).sort()) digest.update(line)
  return digest.digest('hex')
}

/** As Postgres will give it back: without NUL, which it cannot keep, and without half characters, which UTF-8 has not. */
export function storable<T>(value: T): T {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\0', '') as T
  if (Array.isArray(value)) return value.map(storable) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, storable(each)])) as T
}
