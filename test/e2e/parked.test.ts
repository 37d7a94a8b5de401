import { sql } from 'kysely'
import t from 'tap'
import { inTransaction } from '../../src/db/transaction.ts'
import { retryFailing } from '../../src/reconcile/mark-users.ts'
import { addMembers, groupBody, patchBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'

const waiting = async ({ database }: TestService) => {
  const { rows } = await sql<{ failure: string; minutes: number }>`
    select failure, round(extract(epoch from not_before - now()) / 60)::integer as minutes
    from dirty_user where failure is not null`.execute(database.db)
  return rows
}

const metric = async ({ url }: TestService, name: string) =>
  Number(
    new RegExp(`^scim_bridge_${name} (\\S+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1],
  )

t.test('users whose role does not exist are parked, and tried again when it appears', async (t) => {
  const service = await startTestService(t, { env: { UNKNOWN_ROLE: 'hold', ROLE_CACHE_SECONDS: '0' } })
  const { scim, sandbox, settle, accounts, running } = service
  const { roleWatch } = running.service
  t.equal(await roleWatch.runOnce(), 0, 'nobody waits')
  const ids: string[] = []
  for (const name of ['ann', 'bob', 'cleo']) ids.push((await scim('POST', '/Users', userBody(name))).body.id)
  await settle()
  const group = (await scim('POST', '/Groups', groupBody('Press Office'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(...ids))
  await settle()
  const parked = await waiting(service)
  t.strictSame(
    parked.map(({ failure }) => failure),
    ['role_unknown', 'role_unknown', 'role_unknown'],
  )
  t.ok(
    parked.every(({ minutes }) => minutes >= 29),
    'not to be tried again soon',
  )

  for (const _ of [1, 2, 3]) await roleWatch.runOnce()
  await settle()
  sandbox.state.resetRequests()
  t.equal(await roleWatch.runOnce(), 0)
  await settle()
  t.equal(sandbox.state.requests.length, 1, 'waiting costs one question, however many wait')

  sandbox.state.addRole('Press Office')
  t.equal(await roleWatch.runOnce(), 3)
  await settle()
  t.strictSame(Object.values(accounts()), [['Press Office'], ['Press Office'], ['Press Office']])
  t.strictSame(await waiting(service), [])
})

t.test('who is tried again goes by the roles of then', async (t) => {
  const service = await startTestService(t, { env: { UNKNOWN_ROLE: 'hold' } })
  const { scim, sandbox, settle, accounts, database } = service
  const ids: string[] = []
  for (const name of ['ann', 'bob', 'cleo']) ids.push((await scim('POST', '/Users', userBody(name))).body.id)
  const group = (await scim('POST', '/Groups', groupBody('Press Office'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(...ids))
  await settle()
  t.equal((await waiting(service)).length, 3)

  sandbox.state.addRole('Press Office')
  await inTransaction(database.db, (trx) => retryFailing(trx))
  await settle()
  t.strictSame(Object.values(accounts()), [['Press Office'], ['Press Office'], ['Press Office']])
})

t.test('a parked user is tried again when it changes, and at the next resync', async (t) => {
  const service = await startTestService(t)
  const { scim, settle, accounts, sandbox } = service
  const ann = (await scim('POST', '/Users', userBody('ann', { userName: 'ann', emails: [] }))).body.id
  const bob = (await scim('POST', '/Users', userBody('bob'))).body.id
  sandbox.state.faults.set({ kind: 'error', status: 422, emailOrId: 'bob@example.com' })
  await settle()
  t.ok((await waiting(service)).some(({ failure }) => failure === 'no_email'))
  await scim(
    'PATCH',
    `/Users/${ann}`,
    patchBody({ op: 'add', path: 'emails', value: [{ value: 'ann@example.com' }] }),
  )
  await settle()
  t.match(accounts(), { 'ann@example.com': ['Placeholder'] })
  sandbox.state.faults.clear()
  await service.resync()
  await service.retry()
  t.match(accounts(), { 'bob@example.com': ['Placeholder'] }, bob)
})

t.test('an account that always fails delays nobody else', async (t) => {
  const service = await startTestService(t)
  const { scim, settle, retry, accounts, sandbox } = service
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const poison = (await scim('POST', '/Users', userBody('poison'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(poison))
  await settle()
  sandbox.state.faults.set({ kind: 'error', status: 500, emailOrId: 'poison@example.com' })
  await scim('PATCH', `/Groups/${group}`, removeMembers(poison))
  for (let attempt = 0; attempt < 10; attempt += 1) await retry()
  t.equal(await metric(service, 'campaign_manager_circuit_open'), 0)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  t.match(accounts(), { 'ann@example.com': ['Campaign Editor'] })
  sandbox.state.faults.clear()
  await retry()
  t.strictSame(Object.keys(accounts()), ['ann@example.com'])
})

t.test('refused credentials stop the questions, and keep the work', async (t) => {
  const service = await startTestService(t)
  const { scim, settle, sandbox } = service
  sandbox.state.faults.set({ kind: 'unauthorized' })
  for (let user = 0; user < 5; user += 1) await scim('POST', '/Users', userBody(`user-${user}`))
  await settle()
  sandbox.state.resetRequests()
  await settle()
  t.equal(sandbox.state.requests.length, 0, 'nothing more is asked')
  t.equal(await metric(service, 'campaign_manager_credentials_refused'), 1)
  t.equal(await metric(service, 'campaign_manager_circuit_open'), 1)
  t.equal(await metric(service, 'reconcile_pending'), 5)
})
