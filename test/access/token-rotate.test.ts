import { type Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { createAuthenticator } from '../../src/access/authenticate.ts'
import { issueToken, listTokens, revokeToken, rotateToken } from '../../src/access/tokens.ts'
import type { Database } from '../../src/db/tables.ts'
import { openDatabase } from '../support/database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

t.test('a rotated token and its successor are both in force until the overlap is over', async (t) => {
  const { db, authenticate, issue, life } = await setup(t)
  const old = await issue(300, 'read')
  const rotated = await rotateToken(db, 'default', old.id, { overlapHours: 24, days: 365 })
  if ('refused' in rotated) throw new Error(rotated.refused)
  t.match(rotated, { name: 'entra', successor: { access: 'read' } })
  t.match(rotated.successor.token, /^scim_dev_/)
  t.equal(await life(old.id), DAY)
  t.equal(await life(rotated.successor.id), 365 * DAY)
  for (const token of [old.token, rotated.successor.token]) {
    t.match(await authenticate(token), { principal: { access: 'read' } })
  }
  await end(db, old.id)
  t.match(await authenticate(old.token), { failure: 'expired' })
  t.match(await authenticate(rotated.successor.token), { principal: { tenantId: 1 } })
})

t.test('an overlap of nothing ends the old token at once', async (t) => {
  const { db, authenticate, issue } = await setup(t)
  const old = await issue(300)
  await rotateToken(db, 'default', old.id, { overlapHours: 0, days: 365 })
  t.match(await authenticate(old.token), { failure: 'expired' })
})

t.test('no rotation lets a token live longer', async (t) => {
  const { db, issue, life } = await setup(t)
  const old = await issue(2)
  await rotateToken(db, 'default', old.id, { overlapHours: 720, days: 365 })
  t.equal(await life(old.id), 2 * DAY)
  await rotateToken(db, 'default', old.id, { overlapHours: 1, days: 365 })
  t.equal(await life(old.id), HOUR, 'a second rotation may only shorten')
  await rotateToken(db, 'default', old.id, { overlapHours: 24, days: 365 })
  t.equal(await life(old.id), HOUR)
  const forever = await issue(undefined)
  await rotateToken(db, 'default', forever.id, { overlapHours: 1, days: undefined })
  t.equal(await life(forever.id), HOUR)
})

t.test('what is not in force is not rotated', async (t) => {
  const { db, issue } = await setup(t)
  const options = { overlapHours: 24, days: 365 }
  const [revoked, expired, right] = [await issue(1), await issue(1), await issue(1)]
  await revokeToken(db, 'default', revoked.id)
  await end(db, expired.id)
  t.same(await rotateToken(db, 'default', revoked.id, options), { refused: 'revoked' })
  t.same(await rotateToken(db, 'default', expired.id, options), { refused: 'expired' })
  t.same(await rotateToken(db, 'default', 'ffffffffffffffff', options), { refused: 'unknown' })
  t.same(await rotateToken(db, 'acme', right.id, options), { refused: 'unknown' }, 'of another tenant')
  t.equal((await listTokens(db, undefined)).length, 3, 'no successor was made')
})

t.test('the list tells what state each token is in, and no secret (GitLab #11640)', async (t) => {
  const { db, issue } = await setup(t)
  const tokens = {
    revoked: await issue(300),
    expired: await issue(300),
    'expires soon': await issue(29),
    active: await issue(31),
  }
  await revokeToken(db, 'default', tokens.revoked.id)
  await end(db, tokens.revoked.id)
  await end(db, tokens.expired.id)
  const eternal = await issue(undefined)
  const listed = await listTokens(db, 'default')
  t.same(
    Object.fromEntries(listed.map(({ id, state }) => [id, state])),
    Object.fromEntries([
      ...Object.entries(tokens).map(([state, { id }]) => [id, state]),
      [eternal.id, 'active'],
    ]),
  )
  const everything = [
    JSON.stringify(listed),
    JSON.stringify((await sql`select token::text from scim_token as token`.execute(db)).rows),
  ].join()
  for (const { token } of [...Object.values(tokens), eternal]) {
    t.notOk(everything.includes(token.slice(-43)), 'neither listed nor stored')
  }
})

const end = (db: Kysely<Database>, id: string) =>
  db
    .updateTable('scim_token')
    .set({ expires_at: sql`now() - interval '1 second'` })
    .where('token_id', '=', id)
    .execute()

async function setup(t: Test) {
  const { db } = await openDatabase(t)
  return {
    db,
    authenticate: createAuthenticator({ db, scimToken: undefined }),
    async issue(days: number | undefined, access: 'read' | 'write' = 'write') {
      const issued = await issueToken(db, 'default', 'entra', days, { access })
      if (!issued) throw new Error('there is a default tenant')
      return issued
    },
    /** How long a token has to live, to the minute, which is more than the test takes. */
    async life(id: string) {
      const { rows } = await sql<{ ms: number }>`
        select (round(extract(epoch from expires_at - now()) / 60) * 60000)::float8 as ms
        from scim_token where token_id = ${id}`.execute(db)
      return rows[0]?.ms
    },
  }
}
