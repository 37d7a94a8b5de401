import { sql } from 'kysely'
import type { Test } from 'tap'
import type { AuditEvent } from '../../src/audit/entry.ts'
import { recordAudit } from '../../src/audit/record.ts'
import { verifyTrail } from '../../src/audit/verify.ts'
import type { DatabaseConnection } from '../../src/db/connect.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { openDatabase } from '../support/database.ts'

export type Entry = {
  sequence: string
  at: Date
  actor: string
  request_id: string | null
  operation: string
  resource_type: string
  resource_id: string | null
  attributes: string[]
  wanted_roles: string[] | null
  observed_roles: string[] | null
  result: string
  reason: string | null
  // biome-ignore lint/suspicious/noExplicitAny: of many shapes
  detail: any
  previous_hash: Buffer
  hash: Buffer
}

type Db = DatabaseConnection['db']

export const TENANT = 1
export const AUTHOR = { actor: 'token:abc', requestId: 'request-1' }

/** All entries of the tenant, in their order. */
export const entries = async (db: Db, tenantId = TENANT): Promise<Entry[]> =>
  (await sql<Entry>`select * from audit_entry where tenant_id = ${tenantId} order by sequence`.execute(db))
    .rows

/** What happened, in short. */
export const told = async (db: Db): Promise<string[]> =>
  (await entries(db)).map(({ operation, result, reason }) =>
    [operation, ...(result === 'ok' ? [] : [result]), ...(reason === null ? [] : [reason])].join(' '),
  )

export const tell = (db: Db, event: Partial<AuditEvent> = {}, tenantId = TENANT): Promise<void> =>
  inTransaction(db, async (trx) =>
    recordAudit(trx, tenantId, AUTHOR, { operation: 'user.change', resourceType: 'User', ...event }),
  )

export async function checkWhole(t: Test, db: Db, tenantId = TENANT): Promise<void> {
  t.match(await verifyTrail(db, tenantId), { kind: 'whole' }, 'the chain verifies')
}

/** Does what the triggers refuse, as somebody does who owns the database. */
export const tamper = (db: Db, ...statements: string[]): Promise<void> =>
  db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    for (const statement of statements) await sql.raw(statement).execute(trx)
  })

/** A trail of five entries, one of them about the members of a group. */
export async function shortTrail(t: Test): Promise<Db> {
  const { db } = await openDatabase(t)
  await tell(db, { operation: 'user.create', resourceId: USERS[0], attributes: ['userName'] })
  await tell(db, {
    operation: 'group.create',
    resourceType: 'Group',
    resourceId: GROUP,
    detail: { role: 'Editor' },
  })
  await tell(db, {
    operation: 'group.change',
    resourceType: 'Group',
    resourceId: GROUP,
    subjects: { joined: USERS },
  })
  await tell(db, { operation: 'user.change', resourceId: USERS[0], attributes: ['active'] })
  await tell(db, { operation: 'user.delete', resourceId: USERS[0] })
  return db
}

export const GROUP = '22222222-2222-4222-8222-222222222222'
export const USERS: [string, string] = [
  '11111111-1111-4111-8111-111111111111',
  '11111111-1111-4111-8111-111111111112',
]
