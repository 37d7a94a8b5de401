import { sql } from 'kysely'
import t from 'tap'
import { systemClock } from '../src/clock.ts'
import { atMostEvery, createStoreReadings } from '../src/store-readings.ts'
import { openDatabase } from './support/database.ts'
import { explainStatements } from './support/explained-statements.ts'
import { groupBody, userBody } from './support/scim-client.ts'
import { startTestService } from './support/service.ts'

const USERS = 20_000
const INACTIVE = 20

t.test(`of ${USERS} users a scrape reads those alone who are inactive`, async (t) => {
  const { db } = await openDatabase(t)
  await db.transaction().execute(async (trx) => {
    await sql`
      insert into account (tenant_id, user_id, standing, campaign_manager_id)
      select 1, gen_random_uuid(), 'assigned', 'account-' || number
      from generate_series(1, ${USERS}::integer) as number`.execute(trx)
    await sql`
      insert into scim_user (tenant_id, id, attributes, search, last_modified)
      select 1, user_id, resource, resource, now()
      from account, lateral (select jsonb_build_object(
        'userName', campaign_manager_id,
        'active', substr(campaign_manager_id, 9)::integer > ${INACTIVE}::integer) as resource) as made`.execute(
      trx,
    )
  })
  await sql`vacuum analyze`.execute(db)
  const { readStore, readAccounts } = createStoreReadings({
    db,
    onDeactivate: 'ignore',
    monotonic: systemClock.monotonic,
  })

  const readings = await explainStatements(t, async () =>
    t.match(await readStore(), { inactiveWithAccess: INACTIVE }),
  )
  for (const { text, nodes } of readings.statements) {
    t.ok(
      nodes.every(({ rows }) => rows <= INACTIVE),
      `${text}: ${JSON.stringify(nodes)}`,
    )
  }
  const counts = await explainStatements(t, async () =>
    t.match(await readAccounts(), new Map([['assigned', USERS]])),
  )
  const scans = counts.statements.flatMap(({ nodes }) => nodes.filter(({ table }) => table === 'account'))
  t.strictSame(
    scans.map(({ type }) => type),
    ['Index Only Scan'],
  )
})

t.test('the last write of a client is known to every process, also after a restart', async (t) => {
  const service = await startTestService(t)
  const { readStore } = createStoreReadings({
    db: service.database.db,
    onDeactivate: 'ignore',
    monotonic: systemClock.monotonic,
  })
  const lastWrite = async () => (await readStore()).lastScimWriteSeconds
  const { body: ann } = await service.scim('POST', '/Users', userBody('ann'))
  const first = (await lastWrite()) ?? 0
  t.ok(Math.abs(Date.now() / 1000 - first) < 600)

  await service.settle()
  await service.scim('GET', `/Users/${ann.id}`)
  await service.scim('POST', '/Users', userBody('ann'))
  await service.scim('POST', '/Bulk', {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
    Operations: [{ method: 'POST', path: '/Users', bulkId: 'a', data: userBody('ann') }],
  })
  t.equal(await lastWrite(), first, 'neither Campaign Manager nor what changed nothing counts')

  await service.scim('POST', '/Groups', groupBody('Campaign Editor'))
  const second = (await lastWrite()) ?? 0
  t.ok(second > first)
  await service.database.pool.query('update tenant set disabled_at = now()')
  t.equal(await lastWrite(), undefined, 'nobody waits for a tenant that is disabled')
})

t.test('a reading is shared while it is under way, and kept for a time', async (t) => {
  let now = 0
  const readings: { resolve(value: string): void; reject(error: Error): void }[] = []
  const read = atMostEvery(
    60,
    () => now,
    () => new Promise<string>((resolve, reject) => readings.push({ resolve, reject })),
  )
  const both = [read(), read()]
  t.equal(readings.length, 1)
  now = 1000
  readings[0]?.resolve('first')
  t.strictSame(await Promise.all(both), ['first', 'first'])
  now = 1059
  t.equal(await read(), 'first')
  now = 1060
  const third = read()
  readings[1]?.reject(new Error('away'))
  await t.rejects(third, { message: 'away' })
  const fourth = read()
  readings[2]?.resolve('fourth')
  t.equal(await fourth, 'fourth', 'one that failed is not kept')
})
