import { invalidValue } from './error.ts'

export interface Page {
  /** Counted from 1. */
  readonly startIndex: number
  readonly count: number
}

const DEFAULT_COUNT = 100
export const MAX_COUNT = 1000

/**
 * RFC 7644 §3.4.2.4, from a query's text or a search request's numbers: a startIndex below 1 means 1, a negative count
 * means 0, and no page holds more than MAX_COUNT.
 */
export function parsePage(query: { readonly startIndex?: unknown; readonly count?: unknown }): Page {
  return {
    startIndex: Math.max(1, integer('startIndex', query.startIndex) ?? 1),
    count: Math.min(MAX_COUNT, Math.max(0, integer('count', query.count) ?? DEFAULT_COUNT)),
  }
}

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
