import { type Command, type CommandIo, UsageError } from './cli/command.ts'
import { ConfigError } from './config.ts'

interface CommandEntry {
  readonly summary: string
  /** Loaded when asked for: most commands need but a part of the service. */
  readonly load: () => Promise<Command>
}

const commands: Readonly<Record<string, CommandEntry>> = {
  serve: {
    summary: 'run the service (the default)',
    load: async () => (await import('./cli/serve.ts')).serveCommand,
  },
  migrate: {
    summary: 'bring the database to the schema of this version',
    load: async () => (await import('./cli/migrate.ts')).migrateCommand,
  },
  tenant: {
    summary: 'create and list tenants',
    load: async () => (await import('./cli/tenant.ts')).tenantCommand,
  },
  token: {
    summary: 'create, list and revoke the bearer tokens that Entra sends',
    load: async () => (await import('./cli/token.ts')).tokenCommand,
  },
  drift: {
    summary: 'compare Campaign Manager with the directory, and have the differences mended',
    load: async () => (await import('./cli/drift.ts')).driftCommand,
  },
  sandbox: {
    summary: 'run a Campaign Manager to try things on',
    load: async () => (await import('./cli/sandbox.ts')).sandboxCommand,
  },
  demo: {
    summary: 'play the seven provisioning flows on throw-away data',
    load: async () => (await import('./cli/demo.ts')).demoCommand,
  },
}

const help = `Usage: node src/main.ts COMMAND    (with Node.js 24; in a checkout: npm run COMMAND -- ARGUMENTS)

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  .join('\n')}

COMMAND --help says more.
`

/** The time a stop may take before the process ends all the same; what is unfinished waits in Postgres. */
const STOP_LIMIT_MS = 9500

/** The first signal asks to stop; a second one, or a stop that hangs, ends the process. */
function onSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const ask = () => {
      if (asked) process.exit(1)
      asked = true
      setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
      resolve()
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}

async function main(): Promise<number> {
  const [name = 'serve', ...args] = process.argv.slice(2)
  const io: CommandIo = {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    stopRequested: onSignal(),
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (['--help', '-h', 'help'].includes(name)) {
    io.out(help)
    return 0
  }
  if (!entry) {
    io.err(`there is no command '${name}'\n\n${help}`)
    return 2
  }
  const command = await entry.load()
  if (args.includes('--help') || args.includes('-h')) {
    io.out(command.help)
    return 0
  }
  try {
    return await command.run(args, io)
  } catch (error) {
    return report(error, command, io)
  }
}

function report(error: unknown, command: Command, io: CommandIo): number {
  if (error instanceof ConfigError) {
    io.err(error.faults.map((fault) => `${fault}\n`).join(''))
    return 2
  }
  if (error instanceof UsageError) {
    io.err(`${error.message}\n\n${command.help}`)
    return 2
  }
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) io.err(`${cause.message}\n`)
  return 1
}

// A reader that closes the pipe early wants no more; what was to be done is done all the same.
process.stdout.on('error', () => {})
const status = await main()
// A pipe takes no more than its reader does, and what still waits for it when the process ends is lost.
process.stdout.write('', () => process.exit(status))
