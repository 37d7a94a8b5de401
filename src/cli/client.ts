import { listClients } from '../access/oauth-client-list.ts'
import { createClient, revokeClient, rotateSecret } from '../access/oauth-clients.ts'
import { requireOption } from './arguments.ts'
import {
  type ClientOptions,
  federationOption,
  isAccess,
  overlapHoursOption,
  parseClientArguments,
  secretDaysOption,
} from './client-options.ts'
import { clientHeadings, clientRow } from './client-table.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { listOfTenant, noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'

/** What each action understands beside the tenant. */
const allowed: Readonly<Record<string, readonly (keyof ClientOptions)[]>> = {
  create: [
    'name',
    'access',
    'expires-in-days',
    'federated-issuer',
    'federated-subject',
    'federated-audience',
    'jwks-url',
    'json',
  ],
  list: ['json'],
  rotate: ['overlap-hours', 'expires-in-days', 'json'],
  revoke: [],
}

export const clientCommand: Command = {
  help: `Usage: client create --name NAME [--tenant TENANT] [--access read|write] [--expires-in-days DAYS] [--json]
       client create --name NAME --federated-issuer URL --federated-subject SUBJECT
                     --federated-audience AUDIENCE [--federated-audience ...] [--jwks-url URL]
                     [--tenant TENANT] [--access read|write] [--json]
       client list [--tenant TENANT] [--json]
       client rotate ID [--tenant TENANT] [--overlap-hours HOURS] [--expires-in-days DAYS] [--json]
       client revoke ID [--tenant TENANT]

An OAuth 2.0 client gets access tokens at /oauth2/token (client credentials grant), each for one hour. It proves itself by a
secret, which is shown once and lives for 365 to 1096 days (365 unless told otherwise); or, with the federation options, by
assertions that another identity provider signs for it, whose issuer, subject and audience must be exactly these. The
issuer's keys are found by its discovery document, or are at the --jwks-url.

"rotate" makes a second secret and lets the first end after the overlap, 24 hours unless told otherwise. With
--overlap-hours 0, for a secret that others know, every other secret and every access token of the client ends at once.
"revoke" ends the client and all it has at once. Without --tenant, list means all and the others the tenant "default".

Settings: DATABASE_URL, or DATA_DIR for the embedded database.
`,
  async run(args, io) {
    const { values, positionals } = parseClientArguments(args)
    const [action = '', id, ...rest] = positionals
    const understood = Object.hasOwn(allowed, action) ? allowed[action] : undefined
    const takesId = action === 'rotate' || action === 'revoke'
    if (!understood || rest.length > 0 || (id !== undefined) !== takesId) {
      throw new UsageError(
        'say "client create --name NAME", "client list", "client rotate ID" or "client revoke ID"',
      )
    }
    const stray = Object.keys(values).find(
      (name) => name !== 'tenant' && !understood.some((each) => each === name),
    )
    if (stray !== undefined) throw new UsageError(`--${stray} is not for "client ${action}"`)
    if (action === 'create') return create(io, values)
    if (action === 'list') return list(io, values.tenant, values.json === true)
    if (action === 'rotate') return rotate(io, id ?? '', values)
    return revoke(io, values.tenant ?? 'default', id ?? '')
  },
}

async function create(io: CommandIo, values: ClientOptions): Promise<number> {
  const name = requireOption(values.name, 'name')
  const { tenant = 'default', access = 'write' } = values
  if (!isAccess(access)) throw new UsageError('--access must be "read" or "write"')
  const federation = federationOption(values)
  const proof = federation ? { federation } : { secretDays: secretDaysOption(values) }
  const created = await withDatabase(io, (db) => createClient(db, { tenant, name, access, proof }))
  if ('refused' in created) {
    if (created.refused === 'no tenant') return noTenant(io, tenant)
    io.err('another client has this federated issuer and subject already\n')
    return 1
  }
  const { clientId, secret } = created
  if (values.json)
    io.out(formatJson({ clientId, ...(secret !== undefined && { secret }), tenant, name, access }))
  else show(io, clientId, secret)
  return 0
}

function show(io: CommandIo, clientId: string, secret: string | undefined): void {
  io.out(`client id:     ${clientId}\n`)
  if (secret === undefined) return
  io.out(`client secret: ${secret}\n`)
  io.err('this is the only time that the secret is shown\n')
}

async function list(io: CommandIo, tenant: string | undefined, json: boolean): Promise<number> {
  const clients = await withDatabase(io, (db) => listOfTenant(db, tenant, listClients))
  if (!clients) return noTenant(io, tenant)
  io.out(json ? formatJson(clients) : formatTable(clientHeadings, clients.map(clientRow)))
  return 0
}

const refusals = {
  revoked: 'is revoked',
  'no secrets': 'has no secrets: it proves itself by assertions',
  'two secrets': 'has two secrets in force already; wait for one to end, or end both with --overlap-hours 0',
} as const

async function rotate(io: CommandIo, id: string, values: ClientOptions): Promise<number> {
  const { tenant = 'default' } = values
  const rotation = { overlapHours: overlapHoursOption(values), secretDays: secretDaysOption(values) }
  const rotated = await withDatabase(io, (db) => rotateSecret(db, tenant, id, rotation))
  if ('refused' in rotated) {
    const { refused } = rotated
    io.err(refused === 'no client' ? noClient(tenant, id) : `client ${id} ${refusals[refused]}\n`)
    return 1
  }
  const { secret, oldExpires } = rotated
  if (values.json) {
    io.out(formatJson({ clientId: id, secret, oldExpires: oldExpires ?? null }))
    return 0
  }
  show(io, id, secret)
  if (oldExpires) io.err(`the secret before it ends at ${oldExpires.toISOString()}\n`)
  return 0
}

async function revoke(io: CommandIo, tenant: string, id: string): Promise<number> {
  const revoked = await withDatabase(io, (db) => revokeClient(db, tenant, id))
  if (revoked) io.out(`revoked client ${id}\n`)
  else io.err(noClient(tenant, id))
  return revoked ? 0 : 1
}

const noClient = (tenant: string, id: string): string => `tenant ${tenant} has no client ${id}\n`
