import type { TokenEnvironment } from '../access/token.ts'
import {
  type IssuedToken,
  issueToken,
  listTokens,
  revokeToken,
  rotateToken,
  type TokenDescription,
} from '../access/tokens.ts'
import { requireOption } from './arguments.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { listOfTenant, noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'
import {
  accessOption,
  daysOption,
  overlapHoursOption,
  parseTokenArguments,
  type TokenArguments,
} from './token-options.ts'

/** What each action understands beside the tenant. */
const allowed: Readonly<Record<string, readonly (keyof TokenArguments)[]>> = {
  create: ['name', 'access', 'expires-in-days', 'never', 'json'],
  list: ['json'],
  rotate: ['overlap-hours', 'expires-in-days', 'never', 'json'],
  revoke: [],
}

export const tokenCommand: Command = {
  help: `Usage: token create --name NAME [--tenant TENANT] [--access read|write]
                    [--expires-in-days DAYS | --never] [--json]
       token list [--tenant TENANT] [--json]
       token rotate ID [--tenant TENANT] [--overlap-hours HOURS] [--expires-in-days DAYS | --never] [--json]
       token revoke ID [--tenant TENANT]

A token is shown once, when it is made; only a hash of it is kept. It lives for 365 days unless told otherwise, and may change
what it reads unless it is made with --access read. Any number of tokens may be in force at a time.

"rotate" makes a successor with the same name and access, and lets the old token end after the overlap: 24 hours unless told
otherwise, 720 at most, 0 for at once; never later than it would have. "revoke" ends a token at once. "list" shows when each
was last used, to the minute. Without --tenant, list means all and the others the tenant "default".

Settings: DATABASE_URL, or DATA_DIR for the embedded database. With NODE_ENV=production new tokens begin with scim_prod_,
otherwise with scim_dev_.
`,
  async run(args, io) {
    const { values, positionals } = parseTokenArguments(args)
    const [action = '', id, ...rest] = positionals
    const understood = Object.hasOwn(allowed, action) ? allowed[action] : undefined
    const takesId = action === 'rotate' || action === 'revoke'
    if (!understood || rest.length > 0 || (id !== undefined) !== takesId) {
      throw new UsageError(
        'say "token create --name NAME", "token list", "token rotate ID" or "token revoke ID"',
      )
    }
    const stray = Object.keys(values).find(
      (name) => name !== 'tenant' && !understood.some((each) => each === name),
    )
    if (stray !== undefined) throw new UsageError(`--${stray} is not for "token ${action}"`)
    if (action === 'create') return create(io, values)
    if (action === 'list') return list(io, values)
    if (action === 'rotate') return rotate(io, id ?? '', values)
    return revoke(io, values.tenant ?? 'default', id ?? '')
  },
}

const environmentOf = ({ env }: CommandIo): TokenEnvironment =>
  env.NODE_ENV === 'production' ? 'prod' : 'dev'

async function create(io: CommandIo, values: TokenArguments): Promise<number> {
  const { tenant = 'default' } = values
  const name = requireOption(values.name, 'name')
  const days = daysOption(values)
  const options = { access: accessOption(values), environment: environmentOf(io) }
  const issued = await withDatabase(io, (db) => issueToken(db, tenant, name, days, options))
  if (!issued) return noTenant(io, tenant)
  if (values.json) io.out(formatJson({ ...issued, tenant, name }))
  else show(io, tenant, issued)
  return 0
}

function show(io: CommandIo, tenant: string, { id, token, expires }: IssuedToken): void {
  io.out(`${token}\n`)
  const life = expires ? `valid until ${expires.toISOString()}` : 'valid for ever'
  io.err(`token ${id} of tenant ${tenant}, ${life}: this is the only time it is shown\n`)
}

async function list(io: CommandIo, { tenant, json }: TokenArguments): Promise<number> {
  const tokens = await withDatabase(io, (db) => listOfTenant(db, tenant, listTokens))
  if (!tokens) return noTenant(io, tenant)
  io.out(json ? formatJson(tokens) : formatTable(headings, tokens.map(row)))
  return 0
}

const headings = ['TENANT', 'ID', 'NAME', 'ACCESS', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED']

const row = ({ tenant, id, name, access, state, created, expires, lastUsed }: TokenDescription): string[] => [
  tenant,
  id,
  name,
  access,
  state,
  created.toISOString(),
  expires?.toISOString() ?? 'never',
  lastUsed ? `${lastUsed.toISOString().slice(0, 16)}Z` : 'never',
]

async function rotate(io: CommandIo, id: string, values: TokenArguments): Promise<number> {
  const { tenant = 'default' } = values
  const options = {
    overlapHours: overlapHoursOption(values),
    days: daysOption(values),
    environment: environmentOf(io),
  }
  const rotated = await withDatabase(io, (db) => rotateToken(db, tenant, id, options))
  if ('refused' in rotated) {
    const { refused } = rotated
    io.err(refused === 'unknown' ? noToken(tenant, id) : `token ${id} is ${refused}: create a new one\n`)
    return 1
  }
  const { successor, name, oldExpires } = rotated
  if (values.json) {
    io.out(formatJson({ ...successor, tenant, name, replaces: id, oldExpires }))
    return 0
  }
  show(io, tenant, successor)
  io.err(`token ${id}, which it replaces, ends at ${oldExpires.toISOString()}\n`)
  return 0
}

async function revoke(io: CommandIo, tenant: string, id: string): Promise<number> {
  const revoked = await withDatabase(io, (db) => revokeToken(db, tenant, id))
  if (revoked) io.out(`revoked token ${id}\n`)
  else io.err(noToken(tenant, id))
  return revoked ? 0 : 1
}

const noToken = (tenant: string, id: string): string => `tenant ${tenant} has no token ${id}\n`
