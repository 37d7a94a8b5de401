import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database } from './tables.ts'

/** 32 bytes for one purpose: the same for every process on this database, made when first asked for. */
export function serviceKey(db: Kysely<Database>, purpose: string): () => Promise<Buffer> {
  let key: Buffer | undefined
  return async () => {
    key ??= (await find(db, purpose)) ?? (await make(db, purpose))
    return key
  }
}

async function make(db: Kysely<Database>, purpose: string): Promise<Buffer> {
  await db
    .insertInto('service_key')
    .values({ purpose, key: randomBytes(32) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const made = await find(db, purpose)
  if (!made) throw new Error(`the key for ${purpose} was made and is not there`)
  return made
}

async function find(db: Kysely<Database>, purpose: string): Promise<Buffer | undefined> {
  const row = await db
    .selectFrom('service_key')
    .select('key')
    .where('purpose', '=', purpose)
    .executeTakeFirst()
  return row?.key
}
