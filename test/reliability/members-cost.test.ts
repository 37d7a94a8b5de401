import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { type ExplainedStatement, explainStatements } from '../support/explained-statements.ts'
import { fillGroup } from '../support/filled-group.ts'
import { addMembers, groupBody, patchBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

const MEMBERS = 20_000
const FILLED = { tenantId: 1, members: MEMBERS, areWaiting: true }
/** What a request about one member may read of any table, in any step of any plan. */
const HANDFUL = 10
/** Tables that grow with the directory. */
const BIG = ['account', 'scim_user', 'group_member', 'dirty_user']

const rowsOf = ({ nodes }: ExplainedStatement) => Math.max(...nodes.map(({ rows }) => rows))

async function check(t: Test, what: string, run: () => Promise<unknown>): Promise<void> {
  const { statements, tables } = await explainStatements(t, run)
  t.ok(statements.length > 0, `${what}: its statements were seen`)
  for (const statement of statements) {
    // As long as the list of versions, whatever is in the directory.
    if (statement.text.includes('kysely_migration')) continue
    const rows = rowsOf(statement)
    const scans = statement.nodes.filter(({ type, table }) => type === 'Seq Scan' && BIG.includes(table))
    t.comment(
      `${String(rows).padStart(6)} rows  ${statement.milliseconds.toFixed(2).padStart(8)} ms  ${statement.text.slice(0, 150)}`,
    )
    t.ok(rows <= HANDFUL, `${what}: ${rows} rows in one step of: ${statement.text}`)
    t.same(scans, [], `${what}: no table that grows is read from end to end`)
  }
  // Every statement ran twice (once explained), and what foreign keys look up is counted too.
  for (const [table, rows] of tables) {
    t.ok(rows <= HANDFUL * statements.length, `${what}: ${rows} rows of ${table} in all transactions`)
  }
}

t.test('a change of one member of a group of 20,000 reads a handful of rows', async (t) => {
  const service = await startTestService(t)
  const { scim, database } = service
  const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  await fillGroup(database.db, { ...FILLED, groupId })
  // As autovacuum would have done by now; and nothing of the filling is left to be cleaned up.
  await sql`vacuum analyze`.execute(database.db)
  const newId = (await scim('POST', '/Users', userBody('new'))).body.id
  const isMember = async () => {
    const { rows } = await sql`select from group_member where user_id = ${newId}`.execute(database.db)
    return rows.length === 1
  }
  const group = `/Groups/${groupId}`
  const patch = async (body: object) => t.equal((await scim('PATCH', group, body)).status, 204)

  await check(t, 'add', () => patch(addMembers(newId)))
  t.equal(await isMember(), true)
  await check(t, 'add again', () => patch(addMembers(newId)))
  await check(t, 'remove by value', () => patch(removeMembers(newId)))
  t.equal(await isMember(), false)
  await check(t, 'add by address', () => patch(addMembers('new@example.com')))
  t.equal(await isMember(), true)
  await check(t, 'remove by filter', () =>
    patch(patchBody({ op: 'remove', path: `members[value eq "${newId}"]` })),
  )
  t.equal(await isMember(), false)
  await check(t, 'read without members', async () => {
    const { body } = await scim('GET', `${group}?excludedAttributes=members`)
    t.equal(body.displayName, 'Campaign Editor')
  })
  await check(t, 'find by name', async () => {
    const filter = encodeURIComponent('displayName eq "Campaign Editor"')
    t.equal((await scim('GET', `/Groups?excludedAttributes=members&filter=${filter}`)).body.totalResults, 1)
  })
  await check(t, 'find a user', async () => {
    const filter = encodeURIComponent('userName eq "Member-777@example.com"')
    t.equal((await scim('GET', `/Users?filter=${filter}`)).body.totalResults, 1)
  })
  await check(t, 'create a user', async () => {
    t.equal((await scim('POST', '/Users', userBody('newer'))).status, 201)
  })
  await check(t, 'delete a user', async () => {
    t.equal((await scim('DELETE', `/Users/${newId}`)).status, 204)
  })
  await check(t, 'reconcile', () => service.settle())
})

t.test(
  'a group of 20,000 is unassigned at a cost in proportion, though statistics know of no members',
  async (t) => {
    const { scim, database } = await startTestService(t)
    const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
    await scim('POST', '/Users', userBody('only'))
    // In the first minute of a large import, before autovacuum has come by.
    await fillGroup(database.db, { ...FILLED, groupId })
    const { statements } = await explainStatements(t, async () => {
      t.equal((await scim('DELETE', `/Groups/${groupId}`)).status, 204)
    })
    for (const statement of statements) {
      const rows = rowsOf(statement)
      t.ok(rows <= 3 * MEMBERS, `${rows} rows in one step of: ${statement.text}`)
    }
  },
)
