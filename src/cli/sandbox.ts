import { systemClock } from '../clock.ts'
import { createSandbox } from '../sandbox/server.ts'
import { parseArguments } from './arguments.ts'
import { type Command, UsageError } from './command.ts'

export const sandboxCommand: Command = {
  help: `Usage: sandbox [--host HOST] [--port PORT] [--token TOKEN]

A Campaign Manager in memory that keeps the real one's contract. GET / shows its accounts and roles; what is under
/_sandbox lists and edits them and switches faults on. With --token its API asks for that bearer token.

Defaults: --host 127.0.0.1 --port 4010, no token.
`,
  async run(args, io) {
    const { values } = parseArguments(args, {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '4010' },
      token: { type: 'string' },
    })
    const port = Number(values.port)
    if (!/^\d+$/.test(values.port) || port > 65535) throw new UsageError(`--port cannot be '${values.port}'`)
    const sandbox = createSandbox({ now: systemClock.now, token: values.token })
    const url = await sandbox.listen({ host: values.host, port })
    io.out(`Campaign Manager sandbox: ${url}\nIts accounts and roles: curl ${new URL('/', url)}\n`)
    await io.stopRequested
    await sandbox.close()
    return 0
  },
}
