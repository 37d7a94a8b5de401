import { findTenant } from '../access/tenants.ts'
import { OPERATOR } from '../audit/entry.ts'
import { erasePerson } from '../audit/person.ts'
import { pruneAudit } from '../audit/prune.ts'
import { inTransaction } from '../db/transaction.ts'
import { isResourceId } from '../directory/stored-resource.ts'
import { requireOption } from './arguments.ts'
import { type AuditOptions, wholeNumber } from './audit-options.ts'
import { type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'

export async function erase(io: CommandIo, values: AuditOptions): Promise<number> {
  const tenant = requireOption(values.tenant, 'tenant')
  const user = requireOption(values.user, 'user')
  if (!isResourceId(user))
    throw new UsageError("--user must be the user's id: a name may have been several people's")
  const erased = await withDatabase(io, async (db) => {
    const tenantId = await findTenant(db, tenant)
    if (tenantId === undefined) return undefined
    return inTransaction(db, (trx) => erasePerson(trx, tenantId, user.toLowerCase()))
  })
  if (erased === undefined) return noTenant(io, tenant)
  if (erased) io.out(`nothing tells any more whom ${user} meant, unless the user is still in the directory\n`)
  else io.err(`nothing told whom ${user} meant\n`)
  return erased ? 0 : 1
}

export async function prune(io: CommandIo, values: AuditOptions): Promise<number> {
  const olderThanDays = wholeNumber(
    requireOption(values['older-than-days'], 'older-than-days'),
    'older-than-days',
    1,
  )
  const { tenant } = values
  const pruned = await withDatabase(io, async (db) => {
    if (tenant !== undefined && (await findTenant(db, tenant)) === undefined) return undefined
    return pruneAudit(db, OPERATOR, { olderThanDays, tenant })
  })
  if (pruned === undefined) return noTenant(io, tenant)
  io.out(`${pruned} entries taken away\n`)
  return 0
}
