import type { Kysely } from 'kysely'
import { findTenant } from '../access/tenants.ts'
import { type AuditQuery, type ListedEntry, listEntries } from '../audit/list.ts'
import { usersNamed } from '../audit/person.ts'
import { listHeads } from '../audit/read.ts'
import type { Database } from '../db/tables.ts'
import { isResourceId } from '../directory/stored-resource.ts'
import { listWaiting } from '../directory/waiting-users.ts'
import { type AuditOptions, operationOption, timeOption, wholeNumber } from './audit-options.ts'
import { type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'
import { formatJson, formatTable, printable } from './table.ts'
import { MOST_WAITING, waitingLine } from './waiting.ts'

/** Shows entries; and of one user, what is still to be done about the account. */
export async function listTrail(io: CommandIo, values: AuditOptions): Promise<number> {
  const { tenant, user, group } = values
  if (group !== undefined && !isResourceId(group)) throw new UsageError("--group must be the group's id")
  const criteria = {
    tenant,
    group: group?.toLowerCase(),
    since: timeOption(values.since, 'since'),
    until: timeOption(values.until, 'until'),
    operation: operationOption(values.operation),
    limit: wholeNumber(values.limit ?? '50', 'limit', 1),
  }
  const found = await withDatabase(io, async (db) => {
    if (tenant !== undefined && (await findTenant(db, tenant)) === undefined) return undefined
    const users = user === undefined ? undefined : usersMeant(db, user)
    if (users && !(await isAnybodyMeant(db, users, tenant))) return { isUnknown: true } as const
    return {
      isUnknown: false,
      entries: await listEntries(db, { ...criteria, users }),
      waiting: users ? (await listWaiting(db, { tenant, users, limit: MOST_WAITING })).waiting : [],
    }
  })
  if (!found) return noTenant(io, tenant)
  if (found.isUnknown) {
    io.err(
      `nobody has the userName '${printable(user ?? '')}', or had it when deleted, unless that was erased; who has changed it is found by the new one, or by the id\n`,
    )
    return 1
  }
  if (values.json) io.out(formatJson(found.entries.map(asJson)))
  else io.out(formatTable(HEADINGS, found.entries.map(row)))
  if (found.entries.length === criteria.limit) io.err('Older entries are not shown; see --limit.\n')
  for (const each of found.waiting) io.err(waitingLine(each))
  return 0
}

const usersMeant =
  (db: Kysely<Database>, user: string): NonNullable<AuditQuery['users']> =>
  async (tenantId) =>
    isResourceId(user) ? [user.toLowerCase()] : usersNamed(db, tenantId, user)

async function isAnybodyMeant(
  db: Kysely<Database>,
  users: NonNullable<AuditQuery['users']>,
  tenant: string | undefined,
): Promise<boolean> {
  for (const { tenantId } of await listHeads(db, tenant)) if ((await users(tenantId)).length > 0) return true
  return false
}

const HEADINGS = ['AT', 'TENANT', 'ENTRY', 'ACTOR', 'OPERATION', 'ON', 'RESULT', 'WHAT', 'REQUEST']

const row = ({ content, tenant, name, effect }: ListedEntry): string[] => [
  content.at,
  tenant,
  String(content.sequence),
  content.actor,
  content.operation,
  [content.resourceType, name, content.resourceId].filter((part) => part).join(' '),
  content.reason === null ? content.result : `${content.result}: ${content.reason}`,
  [effect && `user ${effect}`, ...whatChanged(content)].filter((part) => part).join('; '),
  content.requestId ?? '-',
]

function whatChanged({ attributes, detail, wantedRoles, observedRoles }: ListedEntry['content']): string[] {
  const count = (name: string) => (detail[name] as { count?: number } | undefined)?.count ?? 0
  const [joined, left] = [count('joined'), count('left')]
  return [
    attributes.length > 0 ? attributes.join(', ') : '',
    joined > 0 || left > 0 ? `members +${joined} -${left}` : '',
    typeof detail.role === 'string' ? `role ${quoted(detail.role)}` : '',
    typeof detail.formerRole === 'string' ? `was ${quoted(detail.formerRole)}` : '',
    wantedRoles || observedRoles ? roleChange(observedRoles ?? [], wantedRoles) : '',
  ]
}

/** What the account held, and what it was to hold; an account that was only found holds what it held. */
function roleChange(before: readonly string[], after: readonly string[] | null): string {
  const list = (roles: readonly string[]) => (roles.length === 0 ? 'none' : roles.map(quoted).join(', '))
  if (after === null) return `roles ${list(before)}`
  return `roles ${list(before)} -> ${list(after)}`
}

const quoted = (text: string): string => `"${text}"`

const asJson = ({ content, tenant, name, effect, hash, previousHash }: ListedEntry) => ({
  tenant,
  ...content,
  name: name ?? null,
  effect: effect ?? null,
  previousHash: previousHash.toString('hex'),
  hash: hash.toString('hex'),
})
