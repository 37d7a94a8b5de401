import { parseArguments } from './arguments.ts'
import type { Command } from './command.ts'
import { withDatabase } from './database.ts'

export const migrateCommand: Command = {
  help: `Usage: migrate

Applies the migrations that the database has not seen. Safe to run from several places at once: one does the work, the
others wait. The service does the same when it starts.

Settings: DATABASE_URL, or DATA_DIR for the embedded database.
`,
  async run(args, io) {
    parseArguments(args, {})
    let applied: readonly string[] = []
    await withDatabase(
      io,
      async () => {},
      (names) => {
        applied = names
      },
    )
    io.out(
      applied.length === 0
        ? 'The database is current.\n'
        : applied.map((name) => `applied ${name}\n`).join(''),
    )
    return 0
  },
}
