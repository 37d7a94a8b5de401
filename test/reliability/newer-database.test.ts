import t from 'tap'
import { emailOf, entra, PLACEHOLDER } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'

t.test('a process whose database was migrated for a newer version reconciles nothing', async (t) => {
  const service = await startTestService(t, { env: { RESYNC_INTERVAL_SECONDS: '3600' } })
  const { pool } = service.database
  const actor = entra(t, service)
  await actor.createUser('ann')
  const beside = await startTestService(t, { beside: service })
  await pool.query(
    `insert into kysely_migration (name, timestamp) values ('9999_narrow.breaking', now()::text)`,
  )
  t.teardown(() => pool.query(`delete from kysely_migration where name = '9999_narrow.breaking'`))
  t.equal(await service.running.service.worker.runOnce(), 0)
  t.equal(await service.running.service.resync.runOnce(), 0)
  t.same(service.accounts(), {})
  const probe = await fetch(`${service.url}/readyz`)
  t.equal(probe.status, 503)
  await pool.query(`delete from kysely_migration where name = '9999_narrow.breaking'`)
  await beside.settle()
  t.same(service.accounts(), { [emailOf('ann')]: [PLACEHOLDER] }, 'one that fits does the work')
})
