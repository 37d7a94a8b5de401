import { findTenant } from '../access/tenants.ts'
import { type DeletionHold, listHolds } from '../directory/deletion-holds.ts'
import { decideDeletions } from '../provisioning/decide-deletions.ts'
import type { CommandIo } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'

/** Shows the holds there are, of one tenant or of all. */
export async function showDeletions(
  io: CommandIo,
  tenant: string | undefined,
  json: boolean,
): Promise<number> {
  const holds = await withDatabase(io, async (db) => {
    if (tenant !== undefined && (await findTenant(db, tenant)) === undefined) return undefined
    return listHolds(db, tenant)
  })
  if (!holds) return noTenant(io, tenant)
  io.out(json ? formatJson(holds) : formatTable(HEADINGS, holds.map(row)))
  return 0
}

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

function noTenant(io: CommandIo, tenant: string | undefined): number {
  io.err(`there is no tenant named ${tenant}\n`)
  return 1
}
