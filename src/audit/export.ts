import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'
import { canonicalJson } from './canonical.ts'
import { readEntries } from './read.ts'

/**
 * A tenant's entries after a place, a line of JSON each: `{"entry":…,"hash":…,"previousHash":…,"subjects":[…]}`. `entry` stands in its
 * canonical form, so that it can be verified by whoever knows the rule.
 */
export async function* exportLines(
  db: Kysely<Database>,
  tenantId: number,
  after: number,
): AsyncGenerator<string> {
  for await (const { content, previousHash, hash, subjects } of readEntries(db, tenantId, after)) {
    const line = {
      entry: content,
      previousHash: previousHash.toString('hex'),
      hash: hash.toString('hex'),
      ...(subjects.length > 0 && { subjects: subjects.map(({ userId, effect }) => [userId, effect]) }),
    }
    yield `${canonicalJson(line)}\n`
  }
}
