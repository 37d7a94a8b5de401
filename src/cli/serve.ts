import { readFileSync } from 'node:fs'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config.ts'
import { createLogger } from '../log.ts'
import { type RunningService, startService } from '../start.ts'
import { parseArguments } from './arguments.ts'
import type { Command } from './command.ts'

export const serveCommand: Command = {
  help: `Usage: serve

Answers SCIM requests and keeps Campaign Manager's accounts in line with the directory. Everything is set through
environment variables; the README lists them. SIGTERM and SIGINT stop it within 10 seconds, a second one at once.
`,
  async run(args, io) {
    parseArguments(args, {})
    const config = loadConfig(io.env, (path) => readFileSync(path, 'utf8'))
    const log = createLogger({ level: config.logLevel })
    const running = await startService({ config, clock: systemClock, log })
    io.err(welcome(running))
    await io.stopRequested
    log.info({}, 'stopping')
    await running.stop()
    log.info({}, 'stopped')
    return 0
  },
}

/** For a person at a terminal; the log says the same to machines, save for the token, which must not be in a log. */
function welcome({ urls, newToken, sandbox }: RunningService): string {
  const lines = []
  if (urls.http !== undefined) lines.push(`SCIM (Entra's "Tenant URL"): ${urls.http}/scim/v2`)
  if (newToken !== undefined) {
    lines.push(`Bearer token (Entra's "Secret Token"), shown this once: ${newToken}`)
  }
  if (sandbox && urls.sandbox !== undefined) {
    lines.push(`Campaign Manager sandbox, its accounts and roles: ${new URL('/', urls.sandbox)}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}
