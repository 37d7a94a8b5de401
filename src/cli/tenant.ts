import { createTenant, isTenantName, listTenants } from '../access/tenants.ts'
import { parseArguments, requireOption } from './arguments.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'
import { decide, isDeletionDecision, showDeletions } from './tenant-deletions.ts'

export const tenantCommand: Command = {
  help: `Usage: tenant create NAME
       tenant list [--json]
       tenant deletions [--tenant NAME] [--json]
       tenant deletions release --tenant NAME
       tenant deletions cancel --tenant NAME

A tenant is one customer's Entra directory: users, groups and tokens of one are invisible to every other. The tenant
"default" exists from the start. A name has lower-case letters, digits and hyphens, 63 characters at most.

When more than DELETION_GUARD_COUNT accounts and more than DELETION_GUARD_PERCENT of a tenant's would be deleted within
DELETION_GUARD_MINUTES, its deletions are held: from then on no account of the tenant is deleted, but disabled instead.
"tenant deletions" shows which tenants that concerns, how many accounts are disabled so far, and how many wait for it;
"release" lets these deletions go ahead; "cancel" enables these accounts again, with the roles they hold, and they stay so
until Entra changes the user anew. A running service carries either out.

Settings: DATABASE_URL, or DATA_DIR for the embedded database.
`,
  async run(args, io) {
    const { values, positionals } = parseArguments(
      args,
      { tenant: { type: 'string' }, json: { type: 'boolean' } },
      { allowPositionals: true },
    )
    const [action, name, ...rest] = positionals
    if (action === 'deletions' && rest.length === 0) return deletions(io, name, values)
    if (values.tenant !== undefined) throw new UsageError('--tenant is for "tenant deletions"')
    if (action === 'create' && name !== undefined && rest.length === 0) return create(io, name)
    if (action === 'list' && name === undefined) return list(io, values.json === true)
    throw new UsageError('say "tenant create NAME", "tenant list" or "tenant deletions"')
  },
}

async function deletions(
  io: CommandIo,
  word: string | undefined,
  { tenant, json }: { tenant?: string | undefined; json?: boolean | undefined },
): Promise<number> {
  if (word === undefined) return showDeletions(io, tenant, json === true)
  if (!isDeletionDecision(word) || json === true) {
    throw new UsageError('say "tenant deletions", "tenant deletions release" or "tenant deletions cancel"')
  }
  return decide(io, requireOption(tenant, 'tenant'), word)
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
