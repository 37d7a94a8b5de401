import {
  allowEntraTokens,
  ENTRA_PROVISIONING_APP,
  type EntraIssuer,
  findEntraIssuer,
  isGuid,
  refuseEntraTokens,
} from '../access/entra-issuers.ts'
import { findTenant } from '../access/tenants.ts'
import { parseArguments, requireOption } from './arguments.ts'
import { type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'

export const tenantEntraUsage = `tenant entra NAME [--json]
       tenant entra NAME --entra-tenant-id GUID --audience AUDIENCE [--app-id GUID]
       tenant entra NAME --off`

export const tenantEntraHelp = `"tenant entra" says whether a tenant accepts tokens that Entra issues by itself, which it sends when its "Secret Token" is left
blank: those of this directory, for exactly this audience, asked for by this application (Entra's provisioning service unless told
otherwise). Off unless told otherwise. Meant for trying things; for production use "token" or "client".
`

const options = {
  'entra-tenant-id': { type: 'string' },
  audience: { type: 'string' },
  'app-id': { type: 'string' },
  off: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** @param args what follows "tenant entra" */
export async function tenantEntra(io: CommandIo, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments(args, options, { allowPositionals: true })
  const [tenant, ...rest] = positionals
  if (tenant === undefined || rest.length > 0) throw new UsageError('say "tenant entra NAME"')
  const { off, json, ...issuer } = values
  if (Object.keys(issuer).length === 0) {
    return off ? turnOff(io, tenant) : show(io, tenant, json === true)
  }
  if (off || json) throw new UsageError('--off and --json are for themselves')
  return allow(io, tenant, {
    entraTenantId: guid(issuer['entra-tenant-id'], 'entra-tenant-id'),
    audience: requireOption(issuer.audience, 'audience'),
    appId: guid(issuer['app-id'] ?? ENTRA_PROVISIONING_APP, 'app-id'),
  })
}

function guid(text: string | undefined, name: string): string {
  const given = requireOption(text, name)
  if (!isGuid(given)) throw new UsageError(`--${name} must be a GUID`)
  return given.toLowerCase()
}

async function allow(io: CommandIo, tenant: string, issuer: EntraIssuer): Promise<number> {
  const result = await withDatabase(io, (db) => allowEntraTokens(db, tenant, issuer))
  if (result === 'no tenant') return noTenant(io, tenant)
  if (result === 'done')
    io.out(`tenant ${tenant} accepts tokens of Entra directory ${issuer.entraTenantId}\n`)
  else io.err('another tenant accepts tokens of this directory for this audience already\n')
  return result === 'done' ? 0 : 1
}

async function turnOff(io: CommandIo, tenant: string): Promise<number> {
  const result = await withDatabase(io, async (db) => {
    if ((await findTenant(db, tenant)) === undefined) return 'no tenant'
    await refuseEntraTokens(db, tenant)
    return 'done'
  })
  if (result === 'no tenant') return noTenant(io, tenant)
  io.out(`tenant ${tenant} accepts no tokens that Entra issues\n`)
  return 0
}

async function show(io: CommandIo, tenant: string, json: boolean): Promise<number> {
  const result = await withDatabase(io, async (db) => {
    if ((await findTenant(db, tenant)) === undefined) return 'no tenant'
    return findEntraIssuer(db, tenant)
  })
  if (result === 'no tenant') return noTenant(io, tenant)
  if (json) io.out(formatJson(result ?? null))
  else if (result) io.out(formatTable(HEADINGS, [[result.entraTenantId, result.audience, result.appId]]))
  else io.out(`tenant ${tenant} accepts no tokens that Entra issues\n`)
  return 0
}

const HEADINGS = ['ENTRA TENANT ID', 'AUDIENCE', 'APP ID']
