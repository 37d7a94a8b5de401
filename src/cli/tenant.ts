import { createTenant, isTenantName, listTenants } from '../access/tenants.ts'
import { parseArguments } from './arguments.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'

export const tenantCommand: Command = {
  help: `Usage: tenant create NAME
       tenant list [--json]

A tenant is one customer's Entra directory: users, groups and tokens of one are invisible to every other. The tenant
"default" exists from the start. A name has lower-case letters, digits and hyphens, 63 characters at most.

Settings: DATABASE_URL, or DATA_DIR for the embedded database.
`,
  async run(args, io) {
    const { values, positionals } = parseArguments(
      args,
      { json: { type: 'boolean' } },
      { allowPositionals: true },
    )
    const [action, name, ...rest] = positionals
    if (action === 'create' && name !== undefined && rest.length === 0) return create(io, name)
    if (action === 'list' && name === undefined) return list(io, values.json === true)
    throw new UsageError('say "tenant create NAME" or "tenant list"')
  },
}

async function create(io: CommandIo, name: string): Promise<number> {
  if (!isTenantName(name)) throw new UsageError(`'${name}' cannot be the name of a tenant`)
  const created = await withDatabase(io, (db) => createTenant(db, name))
  if (created) io.out(`created tenant ${name}\n`)
  else io.err(`a tenant named ${name} exists already\n`)
  return created ? 0 : 1
}

async function list(io: CommandIo, json: boolean): Promise<number> {
  const tenants = await withDatabase(io, listTenants)
  const rows = tenants.map(({ name, created }) => [name, created.toISOString()])
  io.out(json ? formatJson(tenants) : formatTable(['TENANT', 'CREATED'], rows))
  return 0
}
