import { issueToken, listTokens, revokeToken, type TokenDescription } from '../access/tokens.ts'
import { parseArguments, requireOption } from './arguments.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'

export const tokenCommand: Command = {
  help: `Usage: token create --name NAME [--tenant TENANT] [--expires-in-days DAYS] [--json]
       token list [--tenant TENANT] [--json]
       token revoke ID [--tenant TENANT]

A token is shown once, when it is created; only its hash is kept. A revoked token is refused at once. Without --tenant,
create and revoke mean the tenant "default" and list means all.

Settings: DATABASE_URL, or DATA_DIR for the embedded database.
`,
  async run(args, io) {
    const { values, positionals } = parseArguments(
      args,
      {
        tenant: { type: 'string' },
        name: { type: 'string' },
        'expires-in-days': { type: 'string' },
        json: { type: 'boolean' },
      },
      { allowPositionals: true },
    )
    const [action, id, ...rest] = positionals
    const json = values.json === true
    if (action === 'create' && id === undefined) {
      return create(
        io,
        values.tenant ?? 'default',
        requireOption(values.name, 'name'),
        values['expires-in-days'],
        json,
      )
    }
    if (action === 'list' && id === undefined) return list(io, values.tenant, json)
    if (action === 'revoke' && id !== undefined && rest.length === 0)
      return revoke(io, values.tenant ?? 'default', id)
    throw new UsageError('say "token create --name NAME", "token list" or "token revoke ID"')
  },
}

async function create(
  io: CommandIo,
  tenant: string,
  name: string,
  expiresInDays: string | undefined,
  json: boolean,
): Promise<number> {
  if (expiresInDays !== undefined && !/^[1-9]\d{0,4}$/.test(expiresInDays)) {
    throw new UsageError('--expires-in-days must be a whole number of days')
  }
  const days = expiresInDays === undefined ? undefined : Number(expiresInDays)
  const issued = await withDatabase(io, (db) => issueToken(db, tenant, name, days))
  if (!issued) {
    io.err(`there is no tenant named ${tenant}\n`)
    return 1
  }
  io.out(json ? formatJson({ ...issued, tenant, name }) : `${issued.token}\n`)
  if (!json) io.err(`token ${issued.id} of tenant ${tenant}: this is the only time it is shown\n`)
  return 0
}

async function list(io: CommandIo, tenant: string | undefined, json: boolean): Promise<number> {
  const tokens = await withDatabase(io, (db) => listTokens(db, tenant))
  io.out(
    json
      ? formatJson(tokens)
      : formatTable(['TENANT', 'ID', 'NAME', 'CREATED', 'EXPIRES', 'REVOKED'], tokens.map(row)),
  )
  return 0
}

const row = ({ tenant, id, name, created, expires, revoked }: TokenDescription): string[] => [
  tenant,
  id,
  name,
  created.toISOString(),
  expires?.toISOString() ?? 'never',
  revoked?.toISOString() ?? '-',
]

async function revoke(io: CommandIo, tenant: string, id: string): Promise<number> {
  const revoked = await withDatabase(io, (db) => revokeToken(db, tenant, id))
  if (revoked) io.out(`revoked token ${id}\n`)
  else io.err(`tenant ${tenant} has no token ${id}\n`)
  return revoked ? 0 : 1
}
