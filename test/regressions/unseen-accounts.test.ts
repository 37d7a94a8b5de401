import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import { addMembers, groupBody, patchBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

// An account is there, and Campaign Manager does not show it yet, or for a moment not.

const lag = { kind: 'stale', method: 'GET', durationMs: 600_000 } as const

async function start(t: Test, env: Readonly<Record<string, string>> = {}) {
  const service = await startTestService(t, { env })
  const { scim, settle, sandbox, database } = service
  const group = (await scim('POST', '/Groups', groupBody('Agents'))).body.id
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  return {
    ...service,
    ann,
    join: () => scim('PATCH', `/Groups/${group}`, addMembers(ann)),
    leave: () => scim('PATCH', `/Groups/${group}`, removeMembers(ann)),
    changeAddress: () => {
      const operation = { op: 'Replace', path: 'emails[type eq "work"].value', value: 'new@example.com' }
      return scim('PATCH', `/Users/${ann}`, patchBody(operation))
    },
    /** One attempt, in which Campaign Manager does this, right after the one before. */
    attempt: async (...faults: FaultRule[]) => {
      sandbox.state.faults.set(...faults)
      await sql`update dirty_user set not_before = now()`.execute(database.db)
      await settle()
      sandbox.state.faults.clear()
    },
  }
}

t.test('an account whose creation failed after it was made goes with its last group', async (t) => {
  const { join, leave, attempt, retry, accounts } = await start(t)
  await join()
  await attempt({ kind: 'partial', method: 'POST', status: 500, times: 1 })
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
  await attempt(lag)
  await leave()
  await retry()
  t.strictSame(accounts(), {})
})

const refusals: Readonly<Record<string, readonly FaultRule[]>> = {
  taken: [],
  forbidden: [{ kind: 'error', status: 403, method: 'POST' }],
}

for (const [reason, faults] of Object.entries(refusals)) {
  t.test(`a linked account is not forgotten when a new one is refused as ${reason}`, async (t) => {
    const { join, leave, attempt, retry, accounts } = await start(t)
    await join()
    await attempt()
    t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
    await leave()
    await join()
    await attempt(lag, ...faults)
    await leave()
    await retry()
    t.strictSame(accounts(), {})
  })
}

t.test('no second account is made at a new address while the first may be there', async (t) => {
  const { join, changeAddress, attempt, retry, accounts } = await start(t)
  await join()
  await attempt()
  await changeAddress()
  await attempt(lag)
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
  await retry()
  t.strictSame(accounts(), { 'new@example.com': ['Agents'] })
})

t.test('nor while the write that changes the address is on its way', async (t) => {
  const { join, changeAddress, attempt, retry, accounts } = await start(t)
  await join()
  await attempt()
  await changeAddress()
  await attempt({ kind: 'html', method: 'PUT' })
  await attempt({ kind: 'not_found', method: 'GET', route: 'user' })
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
  await retry()
  t.strictSame(accounts(), { 'new@example.com': ['Agents'] })
})

t.test('nor after the write that changes the address was refused', async (t) => {
  const { join, changeAddress, attempt, retry, accounts } = await start(t)
  await join()
  await attempt()
  await changeAddress()
  await attempt({ kind: 'error', status: 403, method: 'PUT' })
  await attempt({ kind: 'not_found', method: 'GET', route: 'user' })
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
  await retry()
  t.strictSame(accounts(), { 'new@example.com': ['Agents'] })
})

t.test('nor while the first may still be made', async (t) => {
  const { join, changeAddress, attempt, retry, accounts } = await start(t)
  await join()
  await attempt({ kind: 'cut_off', method: 'POST' })
  await changeAddress()
  await attempt(lag)
  t.strictSame(accounts(), { 'ann@example.com': ['Agents'] })
  await retry()
  t.strictSame(accounts(), { 'new@example.com': ['Agents'] })
})

t.test('the ten minutes of a creation that was not answered begin with its last sending', async (t) => {
  const { join, leave, attempt, retry, accounts, database } = await start(t)
  await join()
  await attempt({ kind: 'error', status: 503, method: 'POST' })
  await sql`update account set write_pending_since = write_pending_since - interval '11 minutes'`.execute(
    database.db,
  )
  await attempt({ kind: 'cut_off', method: 'POST' })
  await leave()
  await attempt(lag)
  await retry()
  t.strictSame(accounts(), {})
})

t.test('a creation that was refused long ago does not keep others from the address', async (t) => {
  const { scim, attempt, retry, accounts, sandbox, database, ann } = await start(t, {
    EXISTING_ACCOUNTS: 'refuse',
  })
  const path = `/Users/${ann}`
  await scim('PATCH', path, patchBody({ op: 'Replace', path: 'userName', value: 'ann' }))
  const { id } = sandbox.state.putUser({ email: 'ann@example.com' })
  await attempt(lag)
  await attempt()
  sandbox.state.removeUser(id)
  await scim('PATCH', path, patchBody({ op: 'Remove', path: 'emails' }))
  await scim(
    'POST',
    '/Users',
    userBody('bob', { emails: [{ primary: true, type: 'work', value: 'ann@example.com' }] }),
  )
  for (let day = 0; day < 2; day += 1) {
    await sql`update account set write_pending_since = write_pending_since - interval '1 day'`.execute(
      database.db,
    )
    await retry()
  }
  t.strictSame(Object.keys(accounts()), ['ann@example.com'])
})
