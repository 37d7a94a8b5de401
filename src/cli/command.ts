/** What a command may use of the process it runs in. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** The first signal to stop; a second one ends the process at once. */
  readonly stopRequested: Promise<void>
}

export interface Command {
  /** What --help prints. */
  readonly help: string
  /** @returns the exit status: 0 done, 1 failed, 2 wrong use */
  run(args: readonly string[], io: CommandIo): Promise<number>
}

/** A command was called in a way it does not understand. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
