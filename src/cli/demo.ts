import { parseArguments } from './arguments.ts'
import type { Command, CommandIo } from './command.ts'
import { type Dialect, dialects } from './demo/dialects.ts'
import { toDocument } from './demo/document.ts'
import { flows } from './demo/flows.ts'
import { createPaint } from './demo/paint.ts'
import { exitStatus, type PlayedFlow, playFlows } from './demo/play.ts'
import { createPrinter, type Printer } from './demo/print.ts'
import { openStage } from './demo/stage.ts'
import { formatJson } from './table.ts'

export const demoCommand: Command = {
  help: `Usage: demo [--json]

Plays what Entra sends in the seven provisioning flows, in both of its dialects, against the service itself, and shows
Campaign Manager's accounts before and after each step. The database, the Campaign Manager sandbox and all ports are its
own and gone at the end; no setting of yours is used. Exit status 1 when an outcome is not what it should be.

--json prints one document instead: every request, its answer, the accounts before and after, and what was expected.
`,
  async run(args, io) {
    const { values } = parseArguments(args, { json: { type: 'boolean' } })
    const stop = stopSignal(io)
    const json = values.json === true
    const printer = createPrinter(createPaint(process.stdout.isTTY === true && !io.env.NO_COLOR))
    const show = (text: (printer: Printer) => string) => {
      if (!json && !stop.aborted) io.out(text(printer))
    }
    const played: PlayedFlow[] = []
    show((printer) => printer.introduction())
    try {
      for (const dialect of dialects) {
        show((printer) => printer.dialect(dialect))
        for await (const flow of play(dialect, stop)) {
          show((printer) => printer.flow(flow))
          played.push(flow)
        }
      }
    } catch (error) {
      if (!stop.aborted) throw error
      io.err('stopped before the end\n')
      return 1
    }
    show((printer) => printer.summary(played))
    if (json) io.out(formatJson(toDocument(played)))
    return exitStatus(played)
  },
}

/** Every dialect begins on a stage of its own, so that the same people and groups come to it new. */
async function* play(dialect: Dialect, stop: AbortSignal): AsyncGenerator<PlayedFlow> {
  stop.throwIfAborted()
  const stage = await openStage(stop)
  try {
    yield* playFlows(stage, dialect, flows)
  } finally {
    await stage.close()
  }
}

/** A reader that closes the pipe early, as `head` does, stops the demonstration as a signal does: what runs is taken down. */
function stopSignal(io: CommandIo): AbortSignal {
  const stop = new AbortController()
  void io.stopRequested.then(() => stop.abort())
  process.stdout.on('error', () => stop.abort())
  return stop.signal
}
