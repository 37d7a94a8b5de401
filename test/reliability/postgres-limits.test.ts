import { setImmediate as nextTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { type Answer, addMembers, groupBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

type Db = TestService['database']['db']

const isUnavailable = ({ status, headers, body }: Answer) =>
  status === 503 && Number(headers.get('retry-after')) > 0 && body.status === '503'

/** Changes a setting of the database for all sessions from now on, and ends those there are. */
async function setForAll({ database }: TestService, setting: string): Promise<void> {
  const name = new URL(database.url).pathname.slice(1)
  await database.db.connection().execute(async (connection) => {
    // Or the setting that made everything read-only could not be taken back.
    await sql`set session characteristics as transaction read write`.execute(connection)
    await sql.raw(`alter database "${name}" ${setting}`).execute(connection)
    // Without a timeout it only sends the signal, and a session goes on under the former setting for a moment.
    await sql`select pg_terminate_backend(pid, 60000) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(connection)
  })
  // The pools hear of the end of their connections in the same turn as this one gets its answer, perhaps after it.
  await nextTurn()
}

/** Keeps a group's row locked while `run` runs. */
const whileLocked = <T>(db: Db, groupId: string, run: () => Promise<T>): Promise<T> =>
  db.transaction().execute(async (trx) => {
    await sql`set local statement_timeout = 0`.execute(trx)
    await sql`select from scim_group where id = ${groupId} for update`.execute(trx)
    return run()
  })

async function setting(t: Parameters<typeof startTestService>[0], env: Record<string, string> = {}) {
  const service = await startTestService(t, { env })
  const group = (await service.scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const ann = (await service.scim('POST', '/Users', userBody('ann'))).body.id
  return { service, group, ann, scim: service.scim }
}

t.test(
  'a failover that made the database read-only: reads go on, writes are unavailable, until it is over',
  async (t) => {
    const { service, scim, group, ann } = await setting(t)
    await setForAll(service, 'set default_transaction_read_only = on')
    t.ok(isUnavailable(await scim('PATCH', `/Groups/${group}`, addMembers(ann))))
    t.ok(isUnavailable(await scim('POST', '/Users', userBody('bob'))))
    t.ok(isUnavailable(await scim('DELETE', `/Users/${ann}`)))
    t.equal((await scim('GET', `/Users/${ann}`)).status, 200)
    await setForAll(service, 'reset default_transaction_read_only')
    t.equal((await scim('PATCH', `/Groups/${group}`, addMembers(ann))).status, 204)
    await service.settle()
    t.strictSame(service.accounts(), { 'ann@example.com': ['Campaign Editor'] })
  },
)

t.test('a statement that takes too long is unavailable, and changes nothing', async (t) => {
  const { service, scim, group, ann } = await setting(t)
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  // Longer than what follows takes on a busy machine: it goes on under the same limit, on the same sessions.
  await setForAll(service, "set statement_timeout = '2s'")
  await whileLocked(service.database.db, group, async () => {
    t.ok(isUnavailable(await scim('PATCH', `/Groups/${group}`, removeMembers(ann))))
  })
  t.equal((await scim('GET', `/Groups/${group}`)).body.members.length, 1)
  t.equal((await scim('PATCH', `/Groups/${group}`, removeMembers(ann))).status, 204)
})

t.test(
  'when every connection is taken, requests are unavailable, and served again once they are free',
  async (t) => {
    const { service, scim, group, ann } = await setting(t, { CAMPAIGN_MANAGER_CONCURRENCY: '1' })
    let waiting: Promise<Answer>[] = []
    await whileLocked(service.database.db, group, async () => {
      waiting = Array.from({ length: 11 }, () => scim('PATCH', `/Groups/${group}`, addMembers(ann)))
      await until('every connection waits', async () => {
        const { rows } = await sql`select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(service.database.db)
        return rows.length === 11
      })
      const answers = await Promise.all([scim('GET', '/Users'), scim('GET', `/Users/${ann}`)])
      t.ok(answers.every(isUnavailable), 'never an empty list, never "not found"')
    })
    const statuses = (await Promise.all(waiting)).map(({ status }) => status)
    t.ok(statuses.every((status) => status === 204 || status === 503))
    t.equal((await scim('GET', '/Users')).body.totalResults, 1)
    await scim('PATCH', `/Groups/${group}`, addMembers(ann))
    await service.settle()
    t.strictSame(service.accounts(), { 'ann@example.com': ['Campaign Editor'] })
  },
)
