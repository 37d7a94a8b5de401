import { sql } from 'kysely'
import t from 'tap'
import { countResources, type ListQuery, listResources } from '../../src/directory/list.ts'
import type { ResourceType } from '../../src/scim/attribute.ts'
import { parseFilter } from '../../src/scim/filter.ts'
import { openDatabase } from '../support/database.ts'
import { explainStatements } from '../support/explained-statements.ts'
import { BASE, types } from './generated-directory.ts'

/** The plans are the same with 200,000, which take half a minute to insert. */
const USERS = Number(process.env.INDEX_USERS ?? 20_000)
/** What a filter that finds one resource may read, in any step of a plan. */
const HANDFUL = 10

t.test(`what clients match on is found by an index among ${USERS} users`, async (t) => {
  const { db } = await openDatabase(t)
  await db.transaction().execute(async (trx) => {
    await sql`
      create temporary table person on commit drop as
      select number, gen_random_uuid() as id from generate_series(1, ${USERS}::integer) as number`.execute(
      trx,
    )
    await sql`insert into account (tenant_id, user_id, standing) select 1, id, 'awaiting' from person`.execute(
      trx,
    )
    await sql`
      insert into scim_user (tenant_id, id, attributes, search, last_modified)
      select 1, id, resource, resource, timestamptz '2026-01-01' + number * interval '1 second'
      from person, lateral (select jsonb_build_object(
        'userName', 'user-' || number, 'displayName', 'person ' || number, 'active', number % 10 > 0,
        'externalId', 'entra-' || number,
        'emails', jsonb_build_array(jsonb_build_object('type', 'work', 'value', 'user-' || number || '@example.com'))
      ) as resource) as made`.execute(trx)
    await sql`
      insert into scim_group (tenant_id, id, attributes, search, last_modified)
      select 1, gen_random_uuid(), resource, resource, timestamptz '2026-01-01' + number * interval '1 second'
      from generate_series(1, ${USERS / 4}::integer) as number, lateral (
        select jsonb_build_object('displayName', 'group ' || number, 'externalId', 'entra-' || number) as resource
      ) as made`.execute(trx)
    await sql`
      insert into group_member (tenant_id, group_id, user_id)
      select 1, scim_group.id, person.id from person
      join scim_group on scim_group.attributes ->> 'displayName' = 'group ' || (person.number % ${USERS / 4} + 1)`.execute(
      trx,
    )
  })
  await sql`vacuum analyze`.execute(db)
  const { rows } = await sql<{ id: string; group: string }>`
    select user_id as id, group_id as group from group_member limit 1`.execute(db)
  const { id, group } = rows[0] ?? { id: '', group: '' }
  const recent = `"${new Date(Date.UTC(2026, 0, 1) + USERS * 1000).toISOString()}"`

  const users = [
    'userName eq "user-77"',
    'externalId eq "entra-77"',
    'emails.value eq "user-77@example.com"',
    'emails[type eq "work"].value eq "user-77@example.com"',
    'emails[type eq "work" and value eq "user-77@example.com"]',
    'displayName eq "person 77"',
    `id eq "${id}"`,
    `meta.location eq "${BASE}/Users/${id}"`,
    `meta.lastModified ge ${recent}`,
    'meta.lastModified eq "2026-01-01T00:00:07Z"',
    'userName eq "user-77" or externalId eq "entra-78"',
    'userName eq "user-77" and active eq true',
  ]
  const groups = [
    'displayName eq "group 7"',
    'externalId eq "entra-7"',
    `id eq "${group}"`,
    `members.value eq "${id}"`,
    `members eq "${id}"`,
    `members.$ref eq "${BASE}/Users/${id}"`,
    `members[value eq "${id}"]`,
    `members[type eq "User" and value eq "${id}"]`,
    `displayName eq "group 7" and members.value eq "${id}"`,
    'meta.lastModified eq "2026-01-01T00:00:07Z"',
  ]
  const cases: [ResourceType, string][] = [
    ...users.map((text): [ResourceType, string] => [types.user, text]),
    ...groups.map((text): [ResourceType, string] => [types.group, text]),
  ]
  for (const [type, text] of cases) {
    const targets = [{ type, filter: parseFilter(type, text), sortBy: undefined }]
    const query: ListQuery = { targets, sort: undefined, base: BASE }
    const { statements } = await explainStatements(t, async () => {
      const total = await countResources(db, 1, query)
      t.ok(total <= 2, `${text}: ${total} found`)
      await listResources(db, 1, query, { limit: 100 })
    })
    t.equal(statements.length, 2)
    for (const { nodes, milliseconds } of statements) {
      const read = Math.max(...nodes.map((node) => node.rows))
      const steps = nodes.map((node) => node.type)
      t.comment(`${type.name} ${text}: ${read} rows, ${milliseconds.toFixed(2)} ms, ${steps.join(' < ')}`)
      t.ok(
        steps.some((step) => /^(Bitmap )?Index/.test(step)) && !steps.includes('Seq Scan'),
        `${text}: by an index`,
      )
      t.ok(read <= HANDFUL, `${text}: ${read} rows read`)
    }
  }
})
