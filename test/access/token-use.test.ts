import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createTokenUse } from '../../src/access/token-use.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { openDatabase } from '../support/database.ts'

const AT = Date.parse('2026-05-04T10:20:30.400Z')
const MINUTE = 60_000

t.test('the use of a token is kept to the minute', async (t) => {
  const { use, at, lastUsed, id } = await setup(t)
  t.equal(await lastUsed(), null)
  use.note(1, id)
  await use.flush()
  t.same(await lastUsed(), new Date('2026-05-04T10:20:00Z'))
  at(AT + MINUTE)
  use.note(1, id)
  await use.flush()
  t.same(await lastUsed(), new Date('2026-05-04T10:21:00Z'))
})

t.test('a token is written once a minute, however often it is used', async (t) => {
  const { use, at, id, updates } = await setup(t)
  for (let request = 0; request < 50; request++) {
    use.note(1, id)
    await use.flush()
  }
  t.equal(await updates(), 1)
  at(AT + MINUTE)
  for (let request = 0; request < 50; request++) use.note(1, id)
  await use.flush()
  t.equal(await updates(), 2)
})

t.test('two processes keep the later use', async (t) => {
  const { db, use, id, lastUsed } = await setup(t)
  const slow = createTokenUse({
    db,
    now: () => new Date(AT - 5 * MINUTE),
    log: { info: () => {}, warn: () => {} },
  })
  use.note(1, id)
  await use.flush()
  slow.note(1, id)
  await slow.flush()
  t.same(await lastUsed(), new Date('2026-05-04T10:20:00Z'))
})

t.test('what cannot be written fails nobody, is logged, and is written later', async (t) => {
  const { db, use, id, lastUsed, warnings } = await setup(t)
  await sql`alter table scim_token rename to elsewhere`.execute(db)
  use.note(1, id)
  await use.flush()
  t.match(warnings, [/last used cannot be written/], 'one warning')
  await sql`alter table elsewhere rename to scim_token`.execute(db)
  await use.flush()
  t.same(await lastUsed(), new Date('2026-05-04T10:20:00Z'))
})

t.test('a use is of the token of that tenant alone', async (t) => {
  const { use, id, lastUsed } = await setup(t)
  use.note(2, id)
  await use.flush()
  t.equal(await lastUsed(), null)
})

async function setup(t: Test) {
  const { db } = await openDatabase(t)
  const { id = '' } = (await issueToken(db, 'default', 'test', 1)) ?? {}
  await sql`create table updates ()`.execute(db)
  await sql`create function count_update() returns trigger language plpgsql as
    'begin insert into updates default values; return new; end'`.execute(db)
  await sql`create trigger count_updates after update on scim_token
    for each row execute function count_update()`.execute(db)
  t.teardown(async () => {
    await sql`drop function count_update cascade`.execute(db)
    await sql`drop table updates`.execute(db)
  })
  const warnings: string[] = []
  let now = AT
  const use = createTokenUse({
    db,
    now: () => new Date(now),
    log: { info: () => {}, warn: (_fields, message) => warnings.push(message) },
  })
  return {
    db,
    id,
    use,
    warnings,
    at(time: number) {
      now = time
    },
    lastUsed: async () =>
      (await db.selectFrom('scim_token').select('last_used_at').executeTakeFirstOrThrow()).last_used_at,
    updates: async () =>
      Number((await sql<{ count: string }>`select count(*) from updates`.execute(db)).rows[0]?.count),
  }
}
