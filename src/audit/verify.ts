import type { Kysely, Transaction } from 'kysely'
import type { Database } from '../db/tables.ts'
import { digestSubjects, FIRST_HASH, hashEntry } from './canonical.ts'
import { type Place, type ReadEntry, readCheckpoint, readEntries, readHead } from './read.ts'

/** What a trail was found to be: whole, or where it first is not. */
export type Verification =
  | { readonly kind: 'whole'; readonly first: number; readonly last: number; readonly hash: Buffer }
  | { readonly kind: 'broken'; readonly sequence: number; readonly why: string }

/**
 * Follows a tenant's chain from its first entry, or the newest that was pruned, to the head, as of one moment.
 *
 * @param shipped a head that was kept elsewhere: only it shows that the newest entries were taken away, or all of them rewritten
 */
export async function verifyTrail(
  db: Kysely<Database>,
  tenantId: number,
  shipped?: { readonly sequence: number; readonly hash: string },
): Promise<Verification> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute((trx) => verify(trx, tenantId, shipped))
}

const broken = (sequence: number, why: string): Verification => ({ kind: 'broken', sequence, why })

async function verify(
  trx: Transaction<Database>,
  tenantId: number,
  shipped: { readonly sequence: number; readonly hash: string } | undefined,
): Promise<Verification> {
  const checkpoint = await readCheckpoint(trx, tenantId)
  const start: Place = checkpoint ?? { sequence: 0, hash: FIRST_HASH }
  if (shipped) {
    const pruned = comparePruned(start, shipped)
    if (pruned) return pruned
  }
  let last = start
  let isPruningTold = checkpoint === undefined
  for await (const entry of readEntries(trx, tenantId, start.sequence)) {
    const fault = faultOf(entry, last)
    if (fault) return fault
    const { operation, detail, sequence } = entry.content
    if (operation === 'audit.prune' && detail.throughSequence === start.sequence) {
      isPruningTold ||= detail.throughHash === start.hash.toString('hex')
    }
    if (shipped?.sequence === sequence && shipped.hash !== entry.hash.toString('hex')) {
      return broken(sequence, 'its hash is not that of the head that was kept')
    }
    last = { sequence, hash: entry.hash }
  }
  return compareEnd(
    await readHead(trx, tenantId),
    last,
    shipped,
    isPruningTold,
    start,
    await strays(trx, tenantId, last),
  )
}

/** The first thing that is wrong with an entry, given the one before it. */
function faultOf(
  { content, previousHash, hash, subjects }: ReadEntry,
  before: Place,
): Verification | undefined {
  if (content.sequence !== before.sequence + 1) return broken(before.sequence + 1, 'it is missing')
  if (!previousHash.equals(before.hash))
    return broken(content.sequence, 'it does not follow on the one before it')
  if (!hashEntry(before.hash, content).equals(hash))
    return broken(content.sequence, 'its content is not what was hashed')
  const digest = subjects.length === 0 ? undefined : digestSubjects(subjects)
  if (digest !== content.detail.subjectsDigest)
    return broken(content.sequence, 'the users it concerns are not those it was written with')
  return undefined
}

function comparePruned(
  start: Place,
  shipped: { readonly sequence: number; readonly hash: string },
): Verification | undefined {
  if (shipped.sequence > start.sequence || start.sequence === 0) return undefined
  if (shipped.sequence < start.sequence) {
    return broken(
      shipped.sequence,
      `it was pruned, as all up to ${start.sequence}: compare with a later head`,
    )
  }
  return shipped.hash === start.hash.toString('hex')
    ? undefined
    : broken(shipped.sequence, 'the hash of what was pruned is not that of the head that was kept')
}

function compareEnd(
  head: Place | undefined,
  last: Place,
  shipped: { readonly sequence: number } | undefined,
  isPruningTold: boolean,
  start: Place,
  stray: number | undefined,
): Verification {
  if (shipped && shipped.sequence > last.sequence) {
    return broken(last.sequence + 1, `it is missing, and so are all up to ${shipped.sequence}`)
  }
  const headSequence = head?.sequence ?? 0
  if (headSequence > last.sequence) {
    return broken(last.sequence + 1, `it is missing, and so are all up to ${headSequence}`)
  }
  if (headSequence < last.sequence) return broken(headSequence + 1, 'it was added past the head')
  if (head && !head.hash.equals(last.hash)) return broken(last.sequence, 'its hash is not that of the head')
  if (!isPruningTold) return broken(start.sequence, 'nothing tells that all up to it were pruned')
  if (stray !== undefined) return broken(stray, 'there are users for it, and no entry')
  return { kind: 'whole', first: start.sequence + 1, last: last.sequence, hash: last.hash }
}

/** Rows about users that belong to no entry. */
async function strays(
  trx: Transaction<Database>,
  tenantId: number,
  last: Place,
): Promise<number | undefined> {
  const row = await trx
    .selectFrom('audit_subject')
    .select('sequence')
    .where('tenant_id', '=', tenantId)
    .where('sequence', '>', String(last.sequence))
    .limit(1)
    .executeTakeFirst()
  return row && Number(row.sequence)
}
