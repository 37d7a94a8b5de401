/** A recurring duty of the process. */
export interface AuditDuty {
  start(): void
  stop(): Promise<void>
  /** One round, to its end; returns how much there was to do. */
  runOnce(): Promise<number>
}

/** Repeats a duty, beginning at once, one round at a time. */
export function everyNow(options: {
  readonly everyMs: number
  readonly runOnce: () => Promise<number>
  /** Whether to run once more when stopped. */
  readonly atEnd?: boolean
  readonly onSuccess?: () => void
  readonly onError: (error: unknown) => void
}): AuditDuty {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> | undefined
  const round = (): Promise<unknown> => {
    running ??= options
      .runOnce()
      .then(options.onSuccess, options.onError)
      .finally(() => {
        running = undefined
      })
    return running
  }
  return {
    runOnce: options.runOnce,
    start() {
      if (timer) return
      timer = setInterval(round, options.everyMs)
      void round()
    },
    async stop() {
      if (!timer) return
      clearInterval(timer)
      await running
      if (options.atEnd) await round()
    },
  }
}
