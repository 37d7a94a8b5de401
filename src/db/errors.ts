/** What a caller can do about a failed query, read from the SQLSTATE, the system error or the driver's text. */

const unavailableStates =
  /^(08...|28000|28P01|3D000|53...|57P0[1235]|57014|25006|25P03|25P04)$/ /* connection, refused role or password, no such database, resources, shutdown, cancelled, read-only, idle or slow transaction */

const unavailableSystemErrors: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
])

/** pg, pg-pool and Kysely give these no code. */
const unavailableTexts: readonly string[] = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'driver has already been destroyed',
  'Postgres connection has been discarded',
]

type DriverError = Error & { code?: unknown; constraint?: unknown }

/** Postgres cannot serve just now: nothing is wrong with the request, and later it may succeed. */
export function isUnavailable(error: unknown): boolean {
  return isAny(error, (link) => {
    if (typeof link.code === 'string') {
      if (unavailableSystemErrors.has(link.code) || unavailableStates.test(link.code)) return true
    }
    return unavailableTexts.some((text) => link.message.startsWith(text))
  })
}

/** The transaction lost against another one (serialization failure, deadlock) and may simply run again. */
export function isRetryable(error: unknown): boolean {
  return isAny(error, ({ code }) => code === '40001' || code === '40P01')
}

/** The transaction did not get a lock: not within lock_timeout, or because others wait for it in turn. */
export function isLockedOut(error: unknown): boolean {
  return isRetryable(error) || isAny(error, ({ code }) => code === '55P03')
}

/** The name of the constraint (or unique index) that a row broke; undefined for any other error. */
export function uniqueViolation(error: unknown): string | undefined {
  for (const { code, constraint } of chain(error)) {
    if (code === '23505' && typeof constraint === 'string') return constraint
  }
  return undefined
}

function isAny(error: unknown, test: (link: DriverError) => boolean): boolean {
  for (const link of chain(error)) if (test(link)) return true
  return false
}

/** The error, its causes, and what an AggregateError gathers (one per address that was tried). */
function* chain(error: unknown, seen = new Set<unknown>()): Generator<DriverError> {
  if (!(error instanceof Error) || seen.has(error)) return
  seen.add(error)
  yield error
  yield* chain(error.cause, seen)
  if (error instanceof AggregateError) for (const part of error.errors) yield* chain(part, seen)
}
