import { sql } from 'kysely'
import t from 'tap'
import { addMembers, groupBody, removeMembers, setActive, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

const lag = { kind: 'stale', method: 'GET', durationMs: 600_000 } as const

t.test('a read that does not show a role yet does not make us forget that it is ours', async (t) => {
  const { scim, settle, retry, accounts, sandbox } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const groups: string[] = []
  for (const name of ['Campaign Editor', 'Agents']) {
    const { body } = await scim('POST', '/Groups', groupBody(name))
    await scim('PATCH', `/Groups/${body.id}`, addMembers(ann))
    await settle()
    groups.push(body.id)
  }
  t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor', 'Agents'] })
  sandbox.state.faults.set({ ...lag, times: 1 })
  await scim('PATCH', `/Groups/${groups[1]}`, removeMembers(ann))
  await settle()
  await retry()
  t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
})

t.test('an account that a read does not show yet is not believed to be gone', async (t) => {
  const { scim, settle, retry, accounts, sandbox, database } = await startTestService(t)
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
  sandbox.state.faults.set(lag)
  await scim('PATCH', `/Groups/${group}`, removeMembers(ann))
  await settle()
  const { rows } = await sql<{ failure: string }>`select failure from dirty_user`.execute(database.db)
  t.strictSame(rows, [{ failure: 'account_missing' }], 'looked for once more')
  sandbox.state.faults.clear()
  await retry()
  t.strictSame(accounts(), {})
})

t.test('an account that somebody deleted is believed to be gone after a while', async (t) => {
  const { scim, settle, retry, accounts, sandbox, database } = await startTestService(t)
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  sandbox.state.removeUser(sandbox.state.userByEmail('ann@example.com')?.id ?? '')
  await scim('DELETE', `/Users/${ann}`)
  await settle()
  await sql`update account set missing_since = now() - interval '11 seconds'`.execute(database.db)
  await retry()
  t.strictSame(accounts(), {})
  t.strictSame((await sql`select from account`.execute(database.db)).rows, [], 'nothing is left to do')
})

t.test('nor while a write is pending of which nobody knows what became', async (t) => {
  const { scim, settle, retry, accounts, sandbox, database } = await startTestService(t)
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  await settle()
  sandbox.state.faults.set({ kind: 'reset', method: 'PUT' })
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  await scim('PATCH', `/Groups/${group}`, removeMembers(ann))
  sandbox.state.faults.set({ kind: 'not_found', method: 'GET', route: 'user' }, { ...lag, route: 'users' })
  await settle()
  const { rows } = await sql<{ failure: string }>`select failure from dirty_user`.execute(database.db)
  t.strictSame(rows, [{ failure: 'account_missing' }])
  sandbox.state.faults.clear()
  await retry()
  t.strictSame(accounts(), {})
})

t.test('nor is a role forgotten that a write gave although the answer was that it did not', async (t) => {
  const { scim, settle, retry, accounts, sandbox } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const groups: string[] = []
  for (const name of ['Campaign Editor', 'Agents']) {
    groups.push((await scim('POST', '/Groups', groupBody(name))).body.id)
  }
  await scim('PATCH', `/Groups/${groups[0]}`, addMembers(ann))
  await settle()
  sandbox.state.onApplied = async () => {
    sandbox.state.onApplied = undefined
    sandbox.state.faults.set({ ...lag, times: 1 })
    await scim('PATCH', `/Groups/${groups[1]}`, removeMembers(ann))
  }
  // A gateway sends the write twice; the second is refused because the first has changed the account.
  sandbox.state.faults.set({ kind: 'repeated', method: 'PUT', times: 1 })
  await scim('PATCH', `/Groups/${groups[1]}`, addMembers(ann))
  await settle()
  await retry()
  t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
})

t.test(
  'a read that still shows a role that was taken away does not keep it from being given again',
  async (t) => {
    const { scim, settle, accounts, sandbox } = await startTestService(t)
    const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
    const groups: string[] = []
    for (const name of ['Campaign Editor', 'Agents']) {
      groups.push((await scim('POST', '/Groups', groupBody(name))).body.id)
      await scim('PATCH', `/Groups/${groups.at(-1)}`, addMembers(ann))
    }
    await settle()
    await scim('PATCH', `/Groups/${groups[1]}`, removeMembers(ann))
    await settle()
    t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
    sandbox.state.faults.set({ ...lag, times: 1 })
    await scim('PATCH', `/Groups/${groups[1]}`, addMembers(ann))
    await settle()
    t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor', 'Agents'] })
  },
)

t.test('nor one that still shows an account that was deleted', async (t) => {
  const { scim, settle, retry, accounts, sandbox } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Agents'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  await scim('PATCH', `/Groups/${group}`, removeMembers(ann))
  await settle()
  t.strictSame(accounts(), {})
  sandbox.state.faults.set({ ...lag, times: 2 })
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  await retry()
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
})

t.test('an account that a read still shows disabled is disabled', async (t) => {
  const { scim, settle, sandbox } = await startTestService(t, { env: { ON_DEACTIVATE: 'suspend' } })
  const path = `/Users/${(await scim('POST', '/Users', userBody('ann'))).body.id}`
  const set = async (active: boolean) => {
    await scim('PATCH', path, setActive(active))
    await settle()
    return sandbox.state.userByEmail('ann@example.com')?.enabled
  }
  await settle()
  t.equal(await set(false), false)
  t.equal(await set(true), true)
  sandbox.state.faults.set({ ...lag, times: 1 })
  t.equal(await set(false), false)
})

t.test('where every write is sent twice, each change takes one', async (t) => {
  const { scim, settle, accounts, sandbox } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Agents'))).body.id
  await settle()
  sandbox.state.faults.set({ kind: 'repeated', method: 'PUT' })
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await settle()
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
  t.equal(sandbox.state.requests.filter(({ method }) => method === 'PUT').length, 1)
})
