// What the trail tells of writes to Campaign Manager.
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import {
  addMembers,
  groupBody,
  patchBody,
  removeMembers,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { startTestService, type TestServiceOptions } from '../support/service.ts'
import { checkWhole, type Entry, entries } from './setup.ts'

const ROLE = 'Campaign Editor'
const ANALYST = 'Campaign Viewer'

async function setting(t: Test, options: TestServiceOptions = {}) {
  const service = await startTestService(t, options)
  const { scim, database } = service
  const group = (await scim('POST', '/Groups', groupBody(ROLE))).body.id as string
  const writes = async (): Promise<Entry[]> =>
    (await entries(database.db)).filter(({ resource_type }) => resource_type === 'Account')
  return {
    ...service,
    group,
    create: async (name: string) => (await scim('POST', '/Users', userBody(name))).body.id as string,
    join: (id: string) => scim('PATCH', `/Groups/${group}`, addMembers(id)),
    leave: (id: string) => scim('PATCH', `/Groups/${group}`, removeMembers(id)),
    writes,
    /** Operations with what became of them. */
    async outcomes(): Promise<string[]> {
      return (await writes()).map(({ operation, result, reason }) =>
        [operation.slice('account.'.length), result, reason].filter((part) => part).join(' '),
      )
    },
    check: () => checkWhole(t, database.db),
  }
}

t.test(
  'each write is told, with the roles before and after, and a look that changes nothing is not',
  async (t) => {
    const { create, join, leave, settle, resync, writes, check } = await setting(t)
    const ann = await create('ann')
    await settle()
    await join(ann)
    await settle()
    await resync()
    await leave(ann)
    await settle()
    const [created, replaced, deleted, ...more] = await writes()
    t.match(created, {
      actor: 'reconciler',
      request_id: null,
      operation: 'account.create',
      resource_id: ann,
      observed_roles: [],
      wanted_roles: ['Placeholder'],
      result: 'ok',
    })
    t.match(replaced, {
      operation: 'account.replace',
      attributes: ['roles'],
      observed_roles: ['Placeholder'],
      wanted_roles: [ROLE],
      detail: { accountId: created?.detail.accountId },
    })
    t.match(deleted, { operation: 'account.delete', observed_roles: [ROLE], wanted_roles: [], result: 'ok' })
    t.same(more, [])
    await check()
  },
)

t.test('an account that was there becomes the user’s', async (t) => {
  const { sandbox, create, settle, outcomes, writes, check } = await setting(t)
  const { id } = sandbox.state.putUser({ email: 'ann@example.com', roles: [ANALYST] })
  await create('ann')
  await settle()
  t.same(await outcomes(), ['adopt ok', 'replace ok'])
  const [adopted] = await writes()
  t.match(adopted, { observed_roles: [ANALYST], detail: { accountId: id } })
  await check()
})

t.test('a write that fails is told once, until it fails differently or succeeds', async (t) => {
  const { sandbox, create, join, settle, retry, outcomes, check } = await setting(t)
  const ann = await create('ann')
  await settle()
  await join(ann)
  const { faults } = sandbox.state
  faults.set({ kind: 'error', status: 503, method: 'PUT', times: 3 })
  await settle()
  await retry()
  await retry()
  t.same(await outcomes(), ['create ok', 'replace unknown unavailable'])
  faults.set({ kind: 'error', status: 500, method: 'PUT', times: 1 })
  await retry()
  t.same((await outcomes()).slice(2), ['replace unknown internal'])
  await retry()
  t.same((await outcomes()).slice(3), ['replace ok'])
  await check()
})

t.test('a write whose answer never came is unknown, and so is what follows on it known', async (t) => {
  const { sandbox, scim, create, settle, retry, outcomes, check } = await setting(t)
  sandbox.state.faults.set({ kind: 'cut_off', method: 'POST', times: 1 })
  const ann = await create('ann')
  await settle()
  const [unknown, ...rest] = await outcomes()
  t.match(unknown, /^create unknown (network|malformed)$/)
  t.same(rest, [])
  await retry()
  t.same((await outcomes()).slice(1), ['link ok', 'replace ok'], 'it was found by its external id')
  sandbox.state.faults.set({ kind: 'cut_off', method: 'DELETE', times: 1 })
  await scim('DELETE', `/Users/${ann}`)
  await settle()
  await retry()
  await retry()
  t.match((await outcomes())[3], /^delete unknown (network|malformed)$/)
  t.same((await outcomes()).slice(4), ['delete ok found_absent'])
  await check()
})

t.test('suspended, enabled again, released, and gone without our doing', async (t) => {
  const env = { ON_DEACTIVATE: 'suspend', ON_USER_DELETE: 'release' }
  const { sandbox, scim, create, join, settle, retry, outcomes, check } = await setting(t, { env })
  const ann = await create('ann')
  await join(ann)
  await settle()
  for (const value of [false, true]) {
    await scim('PATCH', `/Users/${ann}`, patchBody({ op: 'replace', path: 'active', value }))
    await settle()
  }
  const [account] = sandbox.state.users()
  sandbox.state.removeUser(account?.id ?? '')
  await scim('PATCH', `/Users/${ann}`, patchBody({ op: 'replace', path: 'displayName', value: 'Ann' }))
  await settle()
  await retry()
  t.same(await outcomes(), ['create ok', 'disable ok', 'enable ok', 'missing ok', 'create ok'])
  const [again] = sandbox.state.users()
  sandbox.state.editUser(again?.id ?? '', { roles: [ROLE, ANALYST] })
  await scim('DELETE', `/Users/${ann}`)
  await settle()
  t.same((await outcomes()).slice(5), ['release ok'], 'with the role that somebody gave by hand')
  await check()
})

t.test('an operator’s decision about held deletions is told, for each user too', async (t) => {
  const env = { DELETION_GUARD_COUNT: '1', DELETION_GUARD_PERCENT: '0' }
  const { create, join, leave, settle, database, outcomes, check } = await setting(t, { env })
  const users = [await create('ann'), await create('bob'), await create('cid')]
  for (const id of users) await join(id)
  await settle()
  for (const id of users) await leave(id)
  await settle()
  t.same(
    (await outcomes()).filter((outcome) => outcome !== 'create ok'),
    ['disable ok', 'disable ok', 'disable ok'],
  )
  const { decideDeletions } = await import('../../src/provisioning/decide-deletions.ts')
  await decideDeletions(database.db, 1, 'approved')
  await settle()
  const about = (await entries(database.db)).filter(({ operation }) => operation.startsWith('deletions.'))
  t.match(about, [
    { operation: 'deletions.hold', actor: 'reconciler' },
    { operation: 'deletions.release', actor: 'operator', detail: { concerned: { count: 3 } } },
  ])
  const { rows } = await sql`select user_id from audit_subject where effect = 'concerned'`.execute(
    database.db,
  )
  t.equal(rows.length, 3)
  await check()
})

t.test('an account that was disabled already is held without a write, and none is told', async (t) => {
  const env = { DELETION_GUARD_COUNT: '1', DELETION_GUARD_PERCENT: '1', ON_DEACTIVATE: 'suspend' }
  const { scim, create, settle, outcomes, check } = await setting(t, { env })
  const ids = [await create('ann'), await create('bob'), await create('cid')]
  await settle()
  for (const id of ids) await scim('PATCH', `/Users/${id}`, setActive(false))
  await settle()
  const before = await outcomes()
  t.equal(before.length, 6)
  for (const id of ids) await scim('DELETE', `/Users/${id}`)
  await settle()
  t.same(await outcomes(), before)
  await check()
})

t.test('an account that was found is told of once, though its fields are refused', async (t) => {
  const { sandbox, scim, create, settle, retry, outcomes, check } = await setting(t)
  sandbox.state.putUser({ email: 'taken@example.com', roles: ['Administrator'] })
  sandbox.state.faults.set({ kind: 'cut_off', method: 'POST', times: 1 })
  const ann = await create('ann')
  await settle()
  const path = 'emails[type eq "work"].value'
  await scim('PATCH', `/Users/${ann}`, patchBody({ op: 'replace', path, value: 'taken@example.com' }))
  await retry()
  await retry()
  t.equal((await outcomes()).filter((outcome) => outcome === 'link ok').length, 1)
  await check()
})
