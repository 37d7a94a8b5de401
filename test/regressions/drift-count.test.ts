import t, { type Test } from 'tap'
import { account, accountsIn, emailOf, entra, metric, reasons } from '../e2e/setup.ts'
import { startTestService, type TestService } from '../support/service.ts'

async function ann(t: Test, options: Parameters<typeof startTestService>[1] = {}) {
  const service = await startTestService(t, options)
  const actor = entra(t, service)
  for (const group of ['Agents', 'Analyst']) await actor.createGroup(group)
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  return { service, actor }
}

const annHas = (roles: string[]) => ({ [emailOf('ann')]: account('ann', roles) })

const drift = async (service: TestService) => ({
  roles_changed: await metric(service, 'drift_found_total{kind="roles_changed"}'),
  account_missing: await metric(service, 'drift_found_total{kind="account_missing"}'),
})

t.test('a write of ours whose answer was lost is not counted as drift', async (t) => {
  const { service, actor } = await ann(t)
  service.sandbox.state.faults.set({ kind: 'cut_off', method: 'PUT', times: 1 })
  await actor.add('Analyst', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), annHas(['Agents', 'Analyst']), 'it was carried out')
  t.equal((await reasons(service)).length, 1, 'and nobody knows')
  await service.retry()
  await service.resync()
  t.strictSame(accountsIn(service), annHas(['Agents', 'Analyst']))
  t.strictSame(await reasons(service), [])
  t.strictSame(await drift(service), { roles_changed: 0, account_missing: 0 })
})

t.test('nor is a deletion of ours whose answer was lost', async (t) => {
  const { service, actor } = await ann(t)
  service.sandbox.state.faults.set({ kind: 'cut_off', method: 'DELETE', times: 1 })
  await actor.remove('Agents', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), {})
  t.equal((await reasons(service)).length, 1)
  await service.retry()
  await service.retry()
  t.strictSame(await reasons(service), [])
  t.strictSame(await drift(service), { roles_changed: 0, account_missing: 0 })
})

t.test('an edit by hand is counted and logged once', async (t) => {
  const logged: unknown[] = []
  const { service } = await ann(t, {
    onLog: ({ drift, level, userId }) => drift !== undefined && logged.push({ drift, level, userId }),
  })
  const { rows } = await service.database.pool.query('select id from scim_user')
  const warned = (drift: string) => ({ drift, level: 40, userId: rows[0].id })
  const { state } = service.sandbox
  state.putUser({ email: emailOf('ann'), roles: ['Supervisors'] })
  await service.resync()
  t.strictSame(accountsIn(service), annHas(['Supervisors', 'Agents']), 'ours is put back, theirs stays')
  t.strictSame(await drift(service), { roles_changed: 1, account_missing: 0 })
  await service.resync()
  t.strictSame(await drift(service), { roles_changed: 1, account_missing: 0 }, 'it is known by now')

  state.removeUser(state.userByEmail(emailOf('ann'))?.id ?? '')
  await service.resync()
  t.strictSame(accountsIn(service), annHas(['Agents']), 'made anew')
  await service.resync()
  t.strictSame(await drift(service), { roles_changed: 1, account_missing: 1 })
  t.strictSame(logged, [warned('roles_changed'), warned('account_missing')])
})
