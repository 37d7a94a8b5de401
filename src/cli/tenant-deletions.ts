import type { Kysely } from 'kysely'
import { findTenant } from '../access/tenants.ts'
import type { Database } from '../db/tables.ts'
import {
  type DeletionHold,
  type HeldAccount,
  listHeldAccounts,
  listHolds,
} from '../directory/deletion-holds.ts'
import { decideDeletions } from '../provisioning/decide-deletions.ts'
import type { CommandIo } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'

/** Shows the holds there are, of one tenant or of all. */
export const showDeletions = (io: CommandIo, tenant: string | undefined, json: boolean): Promise<number> =>
  show(io, tenant, json, listHolds, HEADINGS, row)

/** Shows whose accounts they are about. */
export const showHeldAccounts = (io: CommandIo, tenant: string | undefined, json: boolean): Promise<number> =>
  show(io, tenant, json, listHeldAccounts, ACCOUNT_HEADINGS, accountRow)

async function show<Shown>(
  io: CommandIo,
  tenant: string | undefined,
  json: boolean,
  list: (db: Kysely<Database>, tenant: string | undefined) => Promise<Shown[]>,
  headings: readonly string[],
  row: (shown: Shown) => string[],
): Promise<number> {
  const found = await withDatabase(io, async (db) => {
    if (tenant !== undefined && (await findTenant(db, tenant)) === undefined) return undefined
    return list(db, tenant)
  })
  if (!found) return noTenant(io, tenant)
  io.out(json ? formatJson(found) : formatTable(headings, found.map(row)))
  return 0
}

const ACCOUNT_HEADINGS = ['TENANT', 'USER', 'USER NAME', 'ACCOUNT', 'STATE']

const accountRow = ({ tenant, userId, userName, accountId, disabled }: HeldAccount): string[] => [
  tenant,
  userId,
  userName ?? '-',
  accountId,
  disabled ? 'disabled' : 'waiting',
]

const HEADINGS = ['TENANT', 'HELD SINCE', 'DISABLED', 'WAITING', 'BECAUSE OF']

const row = ({
  tenant,
  heldSince,
  disabled,
  waiting,
  deleted,
  pending,
  accounts,
}: DeletionHold): string[] => [
  tenant,
  heldSince.toISOString(),
  String(disabled),
  String(waiting),
  `${deleted} deleted and ${pending} to be deleted of ${accounts}`,
]

const decisions = {
  release: { decision: 'approved', done: 'accounts will be deleted' },
  cancel: { decision: 'kept', done: 'accounts stay, and get their access back' },
} as const

export type DeletionDecision = keyof typeof decisions

export const isDeletionDecision = (word: string | undefined): word is DeletionDecision =>
  word !== undefined && Object.hasOwn(decisions, word)

/** Ends a tenant's hold. A running service does the rest. */
export async function decide(io: CommandIo, tenant: string, word: DeletionDecision): Promise<number> {
  const { decision, done } = decisions[word]
  const result = await withDatabase(io, async (db) => {
    const tenantId = await findTenant(db, tenant)
    return tenantId === undefined ? 'no tenant' : await decideDeletions(db, tenantId, decision)
  })
  if (result === 'no tenant') return noTenant(io, tenant)
  if (result === undefined) {
    io.err(`no deletions of tenant ${tenant} are held\n`)
    return 1
  }
  io.out(`${result} ${done}\n`)
  return 0
}
