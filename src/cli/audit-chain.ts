import type { Kysely } from 'kysely'
import { exportLines } from '../audit/export.ts'
import { listHeads, listTrails } from '../audit/read.ts'
import { type Verification, verifyTrail } from '../audit/verify.ts'
import type { Database } from '../db/tables.ts'
import { type AuditOptions, headOption, wholeNumber } from './audit-options.ts'
import { type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'

interface Trail {
  readonly tenantId: number
  readonly tenant: string
}

async function trailsOf(db: Kysely<Database>, tenant: string | undefined): Promise<Trail[]> {
  const trails = await listTrails(db)
  return tenant === undefined ? trails : trails.filter((trail) => trail.tenant === tenant)
}

export async function verifyTrails(io: CommandIo, { tenant, head, json }: AuditOptions): Promise<number> {
  const shipped = headOption(head)
  if (shipped && tenant === undefined)
    throw new UsageError('--head needs --tenant: each has a head of its own')
  const found = await withDatabase(io, async (db) => {
    const verified: (Trail & { found: Verification })[] = []
    for (const trail of await trailsOf(db, tenant)) {
      verified.push({ ...trail, found: await verifyTrail(db, trail.tenantId, shipped) })
    }
    return verified
  })
  if (found.length === 0) return noTenant(io, tenant)
  if (json) io.out(formatJson(found.map(({ tenant, found }) => ({ tenant, ...hexed(found) }))))
  else io.out(found.map(({ tenant, found }) => `${tenant}: ${sentence(found)}\n`).join(''))
  return found.every(({ found }) => found.kind === 'whole') ? 0 : 1
}

const hexed = (found: Verification) =>
  found.kind === 'whole' ? { ...found, hash: found.hash.toString('hex') } : found

function sentence(found: Verification): string {
  if (found.kind === 'broken') return `BROKEN at entry ${found.sequence}: ${found.why}`
  const { first, last, hash } = found
  if (last === 0) return 'nothing has been told yet'
  return last < first
    ? `all up to entry ${last} are pruned`
    : `whole, entries ${first} to ${last}, head ${last}:${hash.toString('hex')}`
}

export async function exportTrail(io: CommandIo, values: AuditOptions): Promise<number> {
  const after = wholeNumber(values['since-sequence'] ?? '1', 'since-sequence', 1) - 1
  return withDatabase(io, async (db) => {
    const trails = await trailsOf(db, values.tenant)
    if (trails.length === 0) return noTenant(io, values.tenant)
    for (const { tenantId } of trails) {
      for await (const line of exportLines(db, tenantId, after)) io.out(line)
    }
    return 0
  })
}

export async function showHeads(io: CommandIo, { tenant, json }: AuditOptions): Promise<number> {
  const heads = await withDatabase(io, async (db) => {
    const known = await trailsOf(db, tenant)
    return known.length === 0 ? undefined : listHeads(db, tenant)
  })
  if (!heads) return noTenant(io, tenant)
  const rows = heads.map(({ tenant, sequence, hash }) => ({ tenant, sequence, hash: hash.toString('hex') }))
  io.out(
    json
      ? formatJson(rows)
      : formatTable(
          ['TENANT', 'HEAD'],
          rows.map(({ tenant, sequence, hash }) => [tenant, `${sequence}:${hash}`]),
        ),
  )
  return 0
}
