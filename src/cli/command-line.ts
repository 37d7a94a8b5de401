import { ConfigError } from '../config.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'

interface CommandEntry {
  readonly summary: string
  /** Loaded when asked for: most commands need but a part of the service. */
  readonly load: () => Promise<Command>
}

const commands: Readonly<Record<string, CommandEntry>> = {
  serve: {
    summary: 'run the service (the default)',
    load: async () => (await import('./serve.ts')).serveCommand,
  },
  migrate: {
    summary: 'bring the database to the schema of this version',
    load: async () => (await import('./migrate.ts')).migrateCommand,
  },
  tenant: {
    summary: 'create and list tenants, and decide about held deletions',
    load: async () => (await import('./tenant.ts')).tenantCommand,
  },
  token: {
    summary: 'create, list, rotate and revoke the bearer tokens that Entra sends',
    load: async () => (await import('./token.ts')).tokenCommand,
  },
  client: {
    summary: 'create, list, rotate and revoke OAuth 2.0 clients',
    load: async () => (await import('./client.ts')).clientCommand,
  },
  drift: {
    summary: 'compare Campaign Manager with the directory, and have the differences mended',
    load: async () => (await import('./drift.ts')).driftCommand,
  },
  audit: {
    summary: 'show, verify and export who changed what, and what Campaign Manager answered',
    load: async () => (await import('./audit.ts')).auditCommand,
  },
  sandbox: {
    summary: 'run a Campaign Manager to try things on',
    load: async () => (await import('./sandbox.ts')).sandboxCommand,
  },
  healthcheck: {
    summary: 'ask the running service whether it lives, as a container does',
    load: async () => (await import('./healthcheck.ts')).healthcheckCommand,
  },
  demo: {
    summary: 'play the seven provisioning flows on throw-away data',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
}

const help = `Usage: node src/main.ts COMMAND    (with Node.js 24; in a checkout: npm run COMMAND -- ARGUMENTS)

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  .join('\n')}

COMMAND --help says more.
`

/** Runs the command that the arguments name, and returns the exit status: 0 done, 1 failed, 2 wrong use. */
export async function runCommandLine(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name = 'serve', ...args] = argv
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
