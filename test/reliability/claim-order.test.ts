import { sql } from 'kysely'
import t from 'tap'
import { claimDirty, postponeClaim } from '../../src/reconcile/dirty-set.ts'
import { markDirty } from '../../src/reconcile/mark-users.ts'
import { insertDirty } from '../regressions/setup.ts'
import { openDatabase } from '../support/database.ts'
import { explainStatements } from '../support/explained-statements.ts'
import { addMembers, groupBody, removeMembers, setActive, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

/** 200,000 give the same plans, and take a while to insert. */
const USERS = Number(process.env.CLAIM_USERS ?? 20_000)

const failure = { reason: 'internal', detail: 'away' }

t.test('removals are claimed before grants, whichever came first', async (t) => {
  const { db } = await openDatabase(t)
  const grants = await insertDirty(db, 5)
  const removals = await insertDirty(db, 5)
  await db.transaction().execute((trx) => markDirty(trx, 1, removals, removals))
  await sql`update dirty_user set not_before = now() - interval '1 hour' where not removal`.execute(db)
  t.strictSame((await claimDirty(db, 5)).map(({ userId }) => userId).sort(), removals.sort())
  t.strictSame((await claimDirty(db, 5)).map(({ userId }) => userId).sort(), grants.sort())
})

t.test('a removal that failed is tried again although new grants keep coming', async (t) => {
  const { db } = await openDatabase(t)
  const [failed = ''] = await insertDirty(db, 1)
  await db.transaction().execute((trx) => markDirty(trx, 1, [failed], [failed]))
  for (const claim of await claimDirty(db, 1)) await postponeClaim(db, claim, failure, 0)
  await insertDirty(db, 100)
  t.not((await claimDirty(db, 1))[0]?.userId, failed, 'new changes come first most of the time')
  t.equal((await claimDirty(db, 1, 'failed'))[0]?.userId, failed)
})

t.test('what takes access away is marked as a removal, and nothing else is', async (t) => {
  const { scim, database, settle } = await startTestService(t)
  const marked = async () => {
    const { rows } = await sql<{ name: string }>`
      select coalesce(scim_user.attributes ->> 'displayName', 'gone') as name from dirty_user
      left join scim_user on scim_user.id = dirty_user.user_id where dirty_user.removal order by 1`.execute(
      database.db,
    )
    await settle()
    return rows.map(({ name }) => name)
  }
  const [ann, bob] = [
    (await scim('POST', '/Users', userBody('ann'))).body.id,
    (await scim('POST', '/Users', userBody('bob'))).body.id,
  ]
  const group = `/Groups/${(await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id}`
  await scim('PATCH', group, addMembers(ann, bob))
  t.strictSame(await marked(), [])
  await scim('PATCH', group, removeMembers(bob))
  t.strictSame(await marked(), ['bob'])
  await scim('PUT', group, { ...groupBody('Supervisors'), members: [{ value: ann }] })
  t.strictSame(await marked(), ['ann'], 'renamed: the old role goes')
  await scim('PUT', group, { ...groupBody('Supervisors'), members: [{ value: ann }, { value: bob }] })
  t.strictSame(await marked(), [])
  await scim('PATCH', `/Users/${bob}`, setActive(false))
  t.strictSame(await marked(), ['bob'])
  await scim('PATCH', `/Users/${bob}`, setActive(true))
  t.strictSame(await marked(), [])
  await scim('DELETE', `/Users/${bob}`)
  t.strictSame(await marked(), ['gone'])
  await scim('DELETE', group)
  t.strictSame(await marked(), ['ann'])
})

t.test('a claim reads what it takes, among many that are due and many that are not', async (t) => {
  const { db } = await openDatabase(t)
  await sql`
    with added as (
      insert into account (tenant_id, user_id, standing)
      select 1, gen_random_uuid(), 'deleted' from generate_series(1, ${USERS}::integer) returning tenant_id, user_id
    )
    insert into dirty_user (tenant_id, user_id, removal_since, not_before, failure)
    select tenant_id, user_id, case when number % 7 = 0 then now() end, now() + (number % 2 - 0.5) * interval '1 hour',
           case when number % 3 = 0 then 'internal' end
    from (select *, row_number() over () as number from added) as added`.execute(db)
  for (const first of ['fresh', 'failed'] as const) {
    const { statements } = await explainStatements(t, async () => {
      t.equal((await claimDirty(db, 8, first)).length, 8)
    })
    const rows = Math.max(...statements.flatMap(({ nodes }) => nodes.map((node) => node.rows)))
    const steps = statements.flatMap(({ nodes }) => nodes.map(({ type, table }) => `${type} ${table}`))
    t.ok(rows <= 50, `${rows} rows`)
    t.notOk(steps.includes('Seq Scan dirty_user'), 'never analysed, and yet by an index')
  }
})

t.test(
  'a removal that was confirmed counts no more, although the user goes on waiting for something else',
  async (t) => {
    const service = await startTestService(t, { env: { UNKNOWN_ROLE: 'hold' } })
    const { scim, settle, url } = service
    const oldestRemoval = async () =>
      Number(
        /^scim_bridge_reconcile_oldest_removal_seconds (\S+)$/m.exec(
          await (await fetch(`${url}/metrics`)).text(),
        )?.[1],
      )
    const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
    for (const name of ['Campaign Editor', 'Agents', 'Press Office']) {
      await scim('POST', '/Groups', groupBody(name, { members: [{ value: ann }] }))
    }
    await settle()
    t.equal(await oldestRemoval(), 0)
    const editors = (await scim('GET', '/Groups?filter=displayName+eq+"Campaign Editor"')).body.Resources[0]
      .id
    await scim('PATCH', `/Groups/${editors}`, removeMembers(ann))
    t.ok((await oldestRemoval()) > 0)
    await settle()
    t.equal(await oldestRemoval(), 0)
    t.strictSame(service.accounts(), { 'ann@example.com': ['Agents'] })
  },
)
