import './frozen-prototypes.ts'
import { runCommandLine } from './cli/command-line.ts'

/** The time a stop may take before the process ends all the same; what is unfinished waits in Postgres. */
const STOP_LIMIT_MS = 9500
/** Ctrl-C on `npm start` signals the whole group, and npm hands its own on: within this time it is one signal. */
const SAME_SIGNAL_MS = 1000

/** The first signal asks to stop; a second one, or a stop that hangs, ends the process. */
function onSignal(): Promise<void> {
  return new Promise((resolve) => {
    let askedAt: number | undefined
    const ask = () => {
      if (askedAt !== undefined) {
        if (performance.now() - askedAt >= SAME_SIGNAL_MS) process.exit(1)
        return
      }
      askedAt = performance.now()
      setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
      resolve()
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}

// A reader that closes the pipe early wants no more; what was to be done is done all the same.
process.stdout.on('error', () => {})
const status = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  stopRequested: onSignal(),
})
// A pipe takes no more than its reader does, and what still waits for it when the process ends is lost.
process.stdout.write('', () => process.exit(status))
