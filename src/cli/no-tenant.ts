import type { Kysely } from 'kysely'
import { findTenant } from '../access/tenants.ts'
import type { Database } from '../db/tables.ts'
import type { CommandIo } from './command.ts'

/** @returns the exit status */
export function noTenant(io: CommandIo, tenant: string | undefined): number {
  io.err(`there is no tenant named ${tenant}\n`)
  return 1
}

/** What the tenant has, or all have; undefined when there is no tenant of that name. */
export const listOfTenant = async <T>(
  db: Kysely<Database>,
  tenant: string | undefined,
  list: (db: Kysely<Database>, tenant: string | undefined) => Promise<T>,
): Promise<T | undefined> =>
  tenant !== undefined && (await findTenant(db, tenant)) === undefined ? undefined : list(db, tenant)
