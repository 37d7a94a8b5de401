import { invalidCount, invalidValue } from './error.ts'

/** Which part of a list is asked for: by where it begins, or by a cursor from the part before (RFC 9865). */
export type Page =
  | {
      readonly kind: 'index'
      /** Counted from 1. */
      readonly startIndex: number
      readonly count: number
    }
  | {
      readonly kind: 'cursor'
      /** Empty for the first part. */
      readonly cursor: string
      /** Undefined where the request leaves it to the server, or to the cursor. */
      readonly count: number | undefined
    }

export const DEFAULT_COUNT = 100
export const MAX_COUNT = 1000
/** RFC 9865 §2.5: how long a cursor is good for, at least. */
export const CURSOR_TIMEOUT_SECONDS = 3600

/**
 * RFC 7644 §3.4.2.4, from a query's text or a search request's numbers: a startIndex below 1 means 1, a negative count
 * means 0, and no page holds more than MAX_COUNT. RFC 9865 §2: `cursor` chooses paging by cursors, and leaves undefined
 * what both together would mean.
 */
export function parsePage(query: {
  readonly startIndex?: unknown
  readonly count?: unknown
  readonly cursor?: unknown
}): Page {
  const startIndex = integer('startIndex', query.startIndex)
  if (query.cursor === undefined) {
    return {
      kind: 'index',
      startIndex: Math.max(1, startIndex ?? 1),
      count: bounded(integer('count', query.count) ?? DEFAULT_COUNT),
    }
  }
  if (typeof query.cursor !== 'string') throw invalidValue('cursor must be one text')
  if (startIndex !== undefined) throw invalidValue('startIndex and cursor cannot be given together')
  const count = integer('count', query.count)
  return { kind: 'cursor', cursor: query.cursor, count: count === undefined ? undefined : bounded(count) }
}

/** RFC 9865 §2.4: a page's size may not change within a list. */
export function cursorCount(asked: number | undefined, before: number): number {
  if (asked !== undefined && asked !== before) {
    throw invalidCount(
      `count must be between 0 and ${MAX_COUNT}, and what it was in the first request (${before})`,
    )
  }
  return before
}

const bounded = (count: number): number => Math.min(MAX_COUNT, Math.max(0, count))

function integer(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw invalidValue(`${name} is given more than once`)
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (
    typeof number !== 'number' ||
    !(Number.isInteger(number) || Math.abs(number) === Number.POSITIVE_INFINITY)
  ) {
    throw invalidValue(`${name} must be an integer`)
  }
  return Math.min(number, Number.MAX_SAFE_INTEGER)
}
