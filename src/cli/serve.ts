import { readFileSync } from 'node:fs'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config.ts'
import { scimBase } from '../http/present.ts'
import { createLogger } from '../log.ts'
import { type RunningService, startService } from '../start.ts'
import { parseArguments } from './arguments.ts'
import type { Command } from './command.ts'

export const serveCommand: Command = {
  help: `Usage: serve

Answers SCIM requests and keeps Campaign Manager's accounts in line with the directory. Everything is set through
environment variables; docs/settings.md lists them. SIGTERM and SIGINT stop it within 10 seconds, another one a second later at once.
`,
  async run(args, io) {
    parseArguments(args, {})
    const config = loadConfig(io.env, (path) => readFileSync(path, 'utf8'))
    const log = createLogger({ level: config.logLevel })
    const running = await startService({
      config,
      clock: systemClock,
      log,
      onNewToken: (token) => io.err(`Bearer token (Entra's "Secret Token"), shown this once: ${token}\n`),
    })
    io.err(welcome(running, config.publicUrl))
    await io.stopRequested
    log.info({}, 'stopping')
    await running.stop()
    log.info({}, 'stopped')
    return 0
  },
}

/** For a person at a terminal; the log says the same to machines. */
function welcome({ urls, sandbox }: RunningService, publicUrl: string | undefined): string {
  const lines = []
  if (urls.http !== undefined) lines.push(`SCIM (Entra's "Tenant URL"): ${scimBase(publicUrl ?? urls.http)}`)
  if (sandbox && urls.sandbox !== undefined) {
    lines.push(`Campaign Manager sandbox, its accounts and roles: ${new URL('/', urls.sandbox)}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}
