// Erasing, pruning, exporting; and what Postgres itself refuses.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import t from 'tap'
import { FIRST_HASH, hashEntry } from '../../src/audit/canonical.ts'
import { OPERATOR } from '../../src/audit/entry.ts'
import { exportLines } from '../../src/audit/export.ts'
import { createHeadLog } from '../../src/audit/head-log.ts'
import { erasePerson, namesOf, rememberPerson } from '../../src/audit/person.ts'
import { pruneAudit } from '../../src/audit/prune.ts'
import { entryOf } from '../../src/audit/read.ts'
import { createRetention } from '../../src/audit/retention.ts'
import { verifyTrail } from '../../src/audit/verify.ts'
import { connect } from '../../src/db/connect.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { addMembers, groupBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { log } from '../support/test-run.ts'
import { checkWhole, entries, shortTrail, TENANT, tell, told, USERS } from './setup.ts'

type Db = Awaited<ReturnType<typeof shortTrail>>

/** Makes the first entries so old as if they had been written then, hashes and all. */
async function age(db: Db, days: number, through: number): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    const rows = await trx.selectFrom('audit_entry').selectAll().orderBy('sequence').execute()
    let previous = FIRST_HASH
    for (const row of rows) {
      const isOld = Number(row.sequence) <= through
      const at = new Date(row.at.getTime() - (isOld ? days * 86_400_000 : 0))
      const hash = hashEntry(previous, entryOf({ ...row, at }).content)
      await trx
        .updateTable('audit_entry')
        .set({ at, hash, previous_hash: previous })
        .where('sequence', '=', row.sequence)
        .execute()
      previous = hash
    }
    await trx.updateTable('audit_head').set({ hash: previous }).execute()
  })
}

t.test('what is exported can be verified elsewhere, by the documented rule alone', async (t) => {
  const db = await shortTrail(t)
  let previous = '00'.repeat(32)
  let sequence = 0
  for await (const line of exportLines(db, TENANT, 0)) {
    const { entry, hash, previousHash, subjects } = JSON.parse(line)
    sequence += 1
    t.equal(entry.sequence, sequence)
    t.equal(previousHash, previous)
    const canonical = JSON.stringify(sorted(entry))
    t.ok(line.startsWith(`{"entry":${canonical},`), 'in its canonical form')
    t.equal(createHash('sha256').update(Buffer.from(previous, 'hex')).update(canonical).digest('hex'), hash)
    const lines = (subjects ?? []).map(([id, effect]: [string, string]) => `${id} ${effect}\n`).sort()
    const digest = lines.length === 0 ? undefined : createHash('sha256').update(lines.join('')).digest('hex')
    t.equal(entry.detail.subjectsDigest, digest)
    previous = hash
  }
  t.equal(sequence, 5)
  const later: string[] = []
  for await (const line of exportLines(db, TENANT, 3)) later.push(line)
  t.equal(later.length, 2)
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const record = value as Record<string, unknown>
  return Object.fromEntries(
    Object.keys(record)
      .sort()
      .map((key) => [key, sorted(record[key])]),
  )
}

t.test('what a person is called can be erased, and the chain stays', async (t) => {
  const db = await shortTrail(t)
  await inTransaction(db, (trx) => rememberPerson(trx, TENANT, USERS[0], 'ann@example.com'))
  t.same([...(await namesOf(db, TENANT, USERS))], [[USERS[0], 'ann@example.com']])
  t.equal(await inTransaction(db, (trx) => erasePerson(trx, TENANT, USERS[0])), true)
  t.same([...(await namesOf(db, TENANT, USERS))], [])
  t.equal(await inTransaction(db, (trx) => erasePerson(trx, TENANT, USERS[0])), false, 'nothing is left')
  t.match((await entries(db)).at(-1), { operation: 'audit.erase', actor: 'operator', resource_id: USERS[0] })
  await checkWhole(t, db)
})

t.test('what is old is pruned, and the rest still verifies', async (t) => {
  const db = await shortTrail(t)
  for (const id of USERS) await inTransaction(db, (trx) => rememberPerson(trx, TENANT, id, id))
  await age(db, 100, 3)
  await checkWhole(t, db)
  const kept = (await entries(db))[2]
  const head = { sequence: 3, hash: kept?.hash.toString('hex') ?? '' }
  t.equal(await pruneAudit(db, OPERATOR, { olderThanDays: 101 }), 0)
  t.equal(await pruneAudit(db, OPERATOR, { olderThanDays: 99 }), 3)
  t.same(await told(db), ['user.change', 'user.delete', 'audit.prune'])
  t.match(await verifyTrail(db, TENANT), { kind: 'whole', first: 4, last: 6 })
  t.match(await verifyTrail(db, TENANT, head), { kind: 'whole' }, 'a head of what was pruned last is known')
  t.match(
    await verifyTrail(db, TENANT, { ...head, sequence: 2 }),
    { kind: 'broken', sequence: 2, why: /pruned/ },
    'one from before is not',
  )
  t.match(await verifyTrail(db, TENANT, { sequence: 3, hash: 'ab'.repeat(32) }), {
    kind: 'broken',
    sequence: 3,
  })
  const names = await namesOf(db, TENANT, USERS)
  t.same([...names.keys()], [USERS[0]], 'nobody is named of whom nothing is told and who is gone')
  await tell(db)
  await checkWhole(t, db)
})

t.test('a trail that is old as a whole is pruned as a whole, once', async (t) => {
  const db = await shortTrail(t)
  await age(db, 100, 5)
  t.equal(await pruneAudit(db, OPERATOR, { olderThanDays: 10 }), 5)
  t.same(await told(db), ['audit.prune'])
  t.equal(
    await pruneAudit(db, OPERATOR, { olderThanDays: 0 }),
    0,
    'what tells of it alone is no reason for another',
  )
  await checkWhole(t, db)
})

t.test('the duty prunes by the setting, and says when it may not', async (t) => {
  const db = await shortTrail(t)
  await age(db, 100, 5)
  const lines: string[] = []
  const said = {
    info: (_: object, text: string) => lines.push(text),
    warn: (_: object, text: string) => lines.push(text),
  }
  t.equal(await createRetention({ db, days: 0, log: said as never }).runOnce(), 0)
  t.equal(await createRetention({ db, days: 99, log: said as never }).runOnce(), 5)
  t.same(lines, ['audit trail pruned'])
})

t.test('the head is written to the log when it has changed', async (t) => {
  const db = await shortTrail(t)
  const lines: object[] = []
  const said = { info: (fields: object) => lines.push(fields), warn: () => t.fail('no failure') }
  const duty = createHeadLog({ db, log: said as never })
  await duty.runOnce()
  await duty.runOnce()
  const head = async () => {
    const last = (await entries(db)).at(-1)
    return { tenantId: 1, tenant: 'default', head: `${last?.sequence}:${last?.hash.toString('hex')}` }
  }
  t.same(lines, [await head()])
  await tell(db)
  await duty.runOnce()
  t.same(lines.slice(1), [await head()])
})

t.test('accidents of the owner are refused', async (t) => {
  const db = await shortTrail(t)
  const refused = { code: '42501', message: /only ever added to/ }
  for (const table of ['audit_entry', 'audit_subject']) {
    for (const statement of [
      `update ${table} set sequence = 9`,
      `delete from ${table}`,
      `truncate ${table}`,
    ]) {
      await t.rejects(sql.raw(statement).execute(db), refused, statement)
    }
  }
  const pruning = db.transaction().execute(async (trx) => {
    await sql`set local audit.pruning = 'on'`.execute(trx)
    await sql`update audit_entry set actor = 'x'`.execute(trx)
  })
  await t.rejects(pruning, refused, 'nor may pruning change anything')
  await checkWhole(t, db)
})

t.test('the service runs on a database role that can only add to the trail', async (t) => {
  const owner = await startTestService(t, { env: { RECONCILE: 'off' } })
  const { db, url } = owner.database
  const role = `scim_service_${process.pid}`
  await sql.raw(`create role ${role} login password 'restricted'`).execute(db)
  t.teardown(() => sql.raw(`drop owned by ${role}; drop role ${role}`).execute(db))
  const guide = await readFile(new URL('../../docs/audit.md', import.meta.url), 'utf8')
  const grants = /```sql\n(.*?)```/s.exec(guide)?.[1]?.replaceAll('scim_service', role) ?? ''
  t.match(grants, /revoke update, delete, truncate on audit_entry/)
  await sql.raw(grants).execute(db)

  const restricted = new URL(url)
  restricted.username = role
  restricted.password = 'restricted'
  const service = await startTestService(t, {
    beside: owner,
    env: { DATABASE_URL: restricted.href, AUDIT_RETENTION_DAYS: '1' },
  })
  const { scim } = service
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  t.equal((await scim('PATCH', `/Groups/${group}`, addMembers(ann))).status, 204)
  await service.settle()
  t.same(service.accounts(), { 'ann@example.com': ['Campaign Editor'] })
  t.equal((await scim('PATCH', `/Groups/${group}`, removeMembers(ann))).status, 204)
  t.equal((await scim('DELETE', `/Users/${ann}`)).status, 204)
  t.equal((await scim('DELETE', `/Groups/${group}`)).status, 204)
  await service.settle()
  await service.resync()
  t.same(service.accounts(), {})
  t.equal((await fetch(`${service.url}/readyz`)).status, 200)
  await checkWhole(t, db)

  const connection = connect({ url: restricted.href, log, poolMax: 1 })
  t.teardown(() => connection.close())
  const pruning = "select set_config('audit.pruning', 'on', false)"
  for (const statement of [
    "update audit_entry set actor = 'x'",
    `${pruning}; delete from audit_entry`,
    'truncate audit_entry',
    `${pruning}; delete from audit_subject`,
    "update audit_subject set effect = 'left'",
    'delete from audit_checkpoint',
    "insert into audit_checkpoint values (1, 1, decode(repeat('00', 32), 'hex'))",
    'alter table audit_entry disable trigger all',
    'drop table audit_entry',
  ]) {
    await t.rejects(sql.raw(statement).execute(connection.db), { code: '42501' }, statement)
  }
  await age(db, 10, 3)
  const lines: object[] = []
  const warned = new Promise<void>((resolve) => {
    const said = {
      info: () => {},
      warn: (fields: object, text: string) => {
        lines.push([(fields as { err: { code: string } }).err.code, text])
        resolve()
      },
    }
    const duty = createRetention({ db: connection.db, days: 1, log: said })
    duty.start()
    t.teardown(() => duty.stop())
  })
  await warned
  t.match(lines, [['42501', /run "audit prune" with one that may/]])
  await checkWhole(t, db)
})
