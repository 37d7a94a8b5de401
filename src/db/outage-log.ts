type Write = (fields: object, message: string) => void

export interface OutageLogOptions<Level extends 'warn' | 'error'> {
  readonly log: Readonly<Record<'info' | Level, Write>>
  readonly level: Level
  /** What fails, and what is said when it works again. */
  readonly message: string
  readonly again: string
  /** A clock that never goes back, in milliseconds. */
  readonly monotonic?: () => number
}

export interface OutageLog {
  failed(error: unknown): void
  worked(): void
  /** How often in a row it has failed now. */
  readonly failures: number
}

const EVERY_MS = 60_000

/**
 * Tells of what is tried again and again, and fails as long as Postgres is away: at once with the cause, then once a minute with how
 * often, and when it works again.
 */
export function createOutageLog<Level extends 'warn' | 'error'>({
  log,
  level,
  message,
  again,
  monotonic = () => performance.now(),
}: OutageLogOptions<Level>): OutageLog {
  let told: number | undefined
  let isOpen = false
  let untold = 0
  let failures = 0
  return {
    failed(error) {
      failures += 1
      untold += 1
      if (told !== undefined && monotonic() - told < EVERY_MS) return
      log[level]({ err: error, failures: untold }, message)
      told = monotonic()
      isOpen = true
      untold = 0
    },
    worked() {
      failures = 0
      // What now works, now fails, is told of once a minute all the same.
      if (!isOpen) return
      log.info({}, again)
      isOpen = false
    },
    get failures() {
      return failures
    },
  }
}
