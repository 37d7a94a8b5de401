import { createTenant, isTenantName, listTenants, setTenantServed } from '../access/tenants.ts'
import { parseArguments, requireOption } from './arguments.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'
import { decide, isDeletionDecision, showDeletions, showHeldAccounts } from './tenant-deletions.ts'
import { tenantEntra, tenantEntraHelp, tenantEntraUsage } from './tenant-entra.ts'
import { reencrypt } from './tenant-reencrypt.ts'
import { tenantSettings, tenantSettingsHelp, tenantSettingsUsage } from './tenant-settings.ts'

export const tenantCommand: Command = {
  help: `Usage: tenant create NAME
       tenant list [--json]
       tenant disable NAME
       tenant enable NAME
       ${tenantSettingsUsage}
       tenant deletions [accounts] [--tenant NAME] [--json]
       tenant deletions release --tenant NAME
       tenant deletions cancel --tenant NAME
       ${tenantEntraUsage}

A tenant is one customer's Entra directory: users, groups and tokens of one are invisible to every other. The tenant
"default" exists from the start. A name has lower-case letters, digits and hyphens, 63 characters at most. The credentials of
a disabled tenant are refused at once, and its accounts stay as they are: what waits goes on when it is enabled again.

${tenantSettingsHelp}
When more than DELETION_GUARD_COUNT accounts and more than DELETION_GUARD_PERCENT of a tenant's would be deleted within
DELETION_GUARD_MINUTES, its deletions are held: from then on no account of the tenant is deleted, but disabled instead.
"tenant deletions" shows which tenants that concerns, how many accounts are disabled so far, and how many wait for it;
"tenant deletions accounts" shows which accounts, and whose;
"release" lets these deletions go ahead; "cancel" enables these accounts again, with the roles they hold, and they stay so
until Entra changes the user's groups anew, reactivates or deletes the user. A running service carries either out.

${tenantEntraHelp}
Settings: DATABASE_URL, or DATA_DIR for the embedded database; ENCRYPTION_KEY, and the service's CAMPAIGN_MANAGER_URL,
PLACEHOLDER_ROLE and PROTECTED_ROLES, against which a tenant's are checked.
`,
  async run(args, io) {
    if (args[0] === 'entra') return tenantEntra(io, args.slice(1))
    if (args[0] === 'settings') return tenantSettings(io, args.slice(1))
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
    if (action === 'disable' && name !== undefined && rest.length === 0) return serve(io, name, false)
    if (action === 'enable' && name !== undefined && rest.length === 0) return serve(io, name, true)
    if (action === 'reencrypt' && name === undefined) return reencrypt(io)
    throw new UsageError(
      'say "tenant create NAME", "tenant list", "tenant disable NAME", "tenant enable NAME", "tenant settings NAME" or "tenant deletions"',
    )
  },
}

async function deletions(
  io: CommandIo,
  word: string | undefined,
  { tenant, json }: { tenant?: string | undefined; json?: boolean | undefined },
): Promise<number> {
  if (word === undefined) return showDeletions(io, tenant, json === true)
  if (word === 'accounts') return showHeldAccounts(io, tenant, json === true)
  if (!isDeletionDecision(word) || json === true) {
    throw new UsageError(
      'say "tenant deletions", "tenant deletions accounts", "tenant deletions release" or "tenant deletions cancel"',
    )
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

async function serve(io: CommandIo, name: string, served: boolean): Promise<number> {
  const found = await withDatabase(io, (db) => setTenantServed(db, name, served))
  if (!found) return noTenant(io, name)
  io.out(`${served ? 'enabled' : 'disabled'} tenant ${name}\n`)
  return 0
}

async function list(io: CommandIo, json: boolean): Promise<number> {
  const tenants = await withDatabase(io, listTenants)
  const rows = tenants.map(({ name, created, disabled, campaignManagerUrl }) => [
    name,
    created.toISOString(),
    disabled?.toISOString() ?? '-',
    campaignManagerUrl ?? 'shared',
  ])
  io.out(
    json ? formatJson(tenants) : formatTable(['TENANT', 'CREATED', 'DISABLED', 'CAMPAIGN MANAGER'], rows),
  )
  return 0
}
