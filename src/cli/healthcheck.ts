import { readFileSync } from 'node:fs'
import { type Config, loadConfig } from '../config.ts'
import { parseArguments } from './arguments.ts'
import type { Command } from './command.ts'

const PATIENCE_MS = 4000

export const healthcheckCommand: Command = {
  help: `Usage: healthcheck [--ready]

Asks the service that runs on this machine with these settings whether it lives, or with --ready whether it should get
requests. For containers, which need no curl then. Exit status 0 = it does, or it listens nowhere (HTTP=off without
METRICS_PORT).
`,
  async run(args, io) {
    const { values } = parseArguments(args, { ready: { type: 'boolean', default: false } })
    const config = loadConfig(io.env, (path) => readFileSync(path, 'utf8'))
    const url = urlToAsk(config, values.ready)
    if (url === undefined) return 0
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch((cause) => {
      throw new Error(`${url} does not answer`, { cause })
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`${url} answers ${response.status}`)
    return 0
  },
}

function urlToAsk({ host, port, http, metricsPort }: Config, ready: boolean): string | undefined {
  const asked = http ? port : metricsPort
  if (asked === undefined) return undefined
  return `http://${hostToAsk(host)}:${asked}${ready ? '/readyz' : '/healthz'}`
}

/** An address that means all of this machine's is none to connect to. */
function hostToAsk(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
