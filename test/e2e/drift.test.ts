import t, { type Test } from 'tap'
import { takeInventoryStep } from '../../src/provisioning/inventory-step.ts'
import { createResync, type Resync } from '../../src/reconcile/resync.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { account, accountsIn, callsDuring, emailOf, entra, metric, PLACEHOLDER } from './setup.ts'

const env = { RESYNC_INTERVAL_SECONDS: '3600', ON_DEACTIVATE: 'suspend' }

const start = (t: Test, more: Parameters<typeof startTestService>[1] = {}) =>
  startTestService(t, { ...more, env: { ...env, ...more.env } })

/** Compares the whole inventory now, and reconciles nothing. */
const walk = (service: TestService) => walkNow(service, service.running.service.resync)

async function walkNow({ database }: TestService, resync: Resync): Promise<number> {
  t.equal(await resync.runOnce(), 0, 'no comparison is due before an interval is over')
  await database.pool.query('update inventory_walk set due_at = now()')
  return resync.runOnce()
}

/** By kind, and whose it is: a user's, or else an account's address. */
async function findings({ database, sandbox }: TestService): Promise<string[]> {
  const { rows } = await database.pool.query(
    `select kind, attributes ->> 'displayName' as name, campaign_manager_id as account, detail
     from drift_finding
     left join scim_user on scim_user.tenant_id = drift_finding.tenant_id and scim_user.id = drift_finding.user_id`,
  )
  const emails = new Map(sandbox.state.users().map(({ id, email }) => [id, email]))
  return rows
    .map(({ kind, name, account, detail }) => `${kind} of ${name ?? emails.get(account)}: ${detail}`)
    .sort()
}

async function dirty({ database }: TestService): Promise<Record<string, boolean>> {
  const { rows } = await database.pool.query(
    `select attributes ->> 'displayName' as name, removal
     from dirty_user join scim_user on scim_user.tenant_id = dirty_user.tenant_id and scim_user.id = user_id
     order by name`,
  )
  return Object.fromEntries(rows.map(({ name, removal }) => [name, removal]))
}

const idOf = ({ sandbox }: TestService, name: string) => sandbox.state.userByEmail(emailOf(name))?.id ?? ''

/** People of the group Agents, with accounts. */
async function people(t: Test, service: TestService, ...names: string[]) {
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of names) await actor.createUser(name)
  await actor.add('Agents', ...names)
  await service.settle()
  return actor
}

t.test(
  'every kind of drift is found by one walk, counted once, and mended where that is possible',
  async (t) => {
    const logged: unknown[] = []
    const service = await start(t, { onLog: ({ drift }) => drift !== undefined && logged.push(drift) })
    const { state } = service.sandbox
    const actor = await people(
      t,
      service,
      'fine',
      'foreign',
      'gone',
      'less',
      'lost',
      'more',
      'named',
      'off',
      'on',
    )
    await actor.createUser('waits')
    await actor.createUser('left')
    await actor.add('Agents', 'left')
    await actor.active('on', false)
    await service.settle()
    await actor.remove('Agents', 'left')
    await service.settle()
    const before = accountsIn(service)
    t.equal(await walk(service), 0, 'nothing has been changed by hand')

    state.removeUser(idOf(service, 'gone'))
    state.editUser(idOf(service, 'foreign'), { roles: ['Analyst', 'Agents'] })
    state.editUser(idOf(service, 'less'), { roles: ['Analyst'] })
    state.editUser(idOf(service, 'more'), { roles: ['Agents', PLACEHOLDER] })
    state.editUser(idOf(service, 'named'), { firstName: 'Eve', email: 'eve@example.com' })
    state.editUser(idOf(service, 'off'), { enabled: false })
    state.editUser(idOf(service, 'on'), { enabled: true })
    await service.database.pool.query(
      'update account set campaign_manager_id = null where campaign_manager_id = $1',
      [idOf(service, 'lost')],
    )
    const lostId = idOf(service, 'lost')
    const orphan = state.putUser({ email: 'orphan@example.com', externalId: 'entra-nobody' })
    const again = state.putUser({ email: 'left@example.com', externalId: 'entra-left' })
    const second = state.putUser({ email: 'second@example.com', externalId: 'entra-fine' })
    state.putUser({ email: 'made-by-hand@example.com' })

    const calls = await callsDuring(service, async () => t.equal(await walk(service), 10))
    t.strictSame(await findings(service), [
      'account_missing of gone: the account is not in the inventory',
      'account_missing of lost: the user has no account',
      'disabled of off: disabled, and should be enabled',
      'disabled of on: enabled, and should be disabled',
      'duplicate of fine: carries the external id of a user who has another account',
      'edited of named: other email, firstName',
      'orphan of left: the user with its external id is to have no account',
      'orphan of orphan@example.com: no user has its external id',
      "roles_extra of more: with 'Placeholder'",
      "roles_missing of less: without 'Agents'",
    ])
    t.ok(calls.writes.length > 0, 'what can be mended is mended by the reconciliation')
    const mended = {
      ...before,
      [emailOf('foreign')]: account('foreign', ['Analyst', 'Agents']),
      [emailOf('less')]: account('less', ['Analyst', 'Agents']),
    }
    const {
      [orphan.email]: _,
      [again.email]: __,
      [second.email]: ___,
      'made-by-hand@example.com': ____,
      ...ours
    } = accountsIn(service)
    t.strictSame(ours, mended)
    t.equal(idOf(service, 'lost'), lostId, 'the account that was there is found again')

    const counts = async () =>
      Object.fromEntries(
        await Promise.all(
          [
            'account_missing',
            'roles_missing',
            'roles_extra',
            'disabled',
            'edited',
            'orphan',
            'duplicate',
            'roles_changed',
          ].map(async (kind) => [kind, await metric(service, `drift_found_total{kind="${kind}"}`)]),
        ),
      )
    const once = { account_missing: 2, roles_missing: 1, roles_extra: 1, disabled: 2, edited: 1 }
    t.strictSame(await counts(), { ...once, orphan: 2, duplicate: 1, roles_changed: 0 })
    const kinds = ['account_missing', 'account_missing', 'disabled', 'disabled', 'duplicate', 'edited']
    t.strictSame(logged.sort(), [...kinds, 'orphan', 'orphan', 'roles_extra', 'roles_missing'])

    t.equal(await walk(service), 3, 'what is only reported is found again')
    t.strictSame(await counts(), { ...once, orphan: 4, duplicate: 2, roles_changed: 0 })
    t.equal((await findings(service)).length, 3, 'a finished walk replaces what the one before found')
    const seen = await service.database.pool.query('select from inventory_account')
    t.equal(seen.rowCount, 0, 'and leaves nothing behind')
  },
)

t.test('a walk marks dirty and nothing else; who has too much comes first', async (t) => {
  const service = await start(t, { env: { ROLE_CACHE_SECONDS: '0' } })
  const { state } = service.sandbox
  await people(t, service, 'less', 'lesser', 'more')
  state.editUser(idOf(service, 'less'), { roles: ['Analyst'] })
  state.editUser(idOf(service, 'lesser'), { roles: ['Analyst'] })
  state.editUser(idOf(service, 'more'), { roles: ['Agents', PLACEHOLDER] })
  const from = state.requests.length
  await walk(service)
  t.strictSame(await dirty(service), { less: false, lesser: false, more: true })
  t.strictSame(
    state.requests.slice(from).map(({ method, route }) => `${method} ${route}`),
    ['GET users', 'GET roles'],
    'one page, and the roles once for all of it',
  )
})

t.test('a change outside the walks is counted as ever', async (t) => {
  const service = await start(t)
  const actor = await people(t, service, 'ann')
  service.sandbox.state.editUser(idOf(service, 'ann'), { roles: ['Analyst'] })
  await walk(service)
  await service.settle()
  service.sandbox.state.editUser(idOf(service, 'ann'), { roles: ['Supervisors'] })
  await actor.changeUser('ann', 'displayName', 'Ann')
  await service.settle()
  t.equal(await metric(service, 'drift_found_total{kind="roles_missing"}'), 1)
  t.equal(await metric(service, 'drift_found_total{kind="roles_changed"}'), 1)
})

t.test('work in progress is no drift', async (t) => {
  const service = await start(t)
  const actor = await people(t, service, 'changing', 'just-done')
  await actor.createGroup('Analyst')
  await actor.add('Analyst', 'changing')
  service.sandbox.state.editUser(idOf(service, 'just-done'), { enabled: false })
  // As if it had been reconciled after the page was asked for.
  await service.database.pool.query(
    `update account set observed_at = now() + interval '1 hour' where campaign_manager_id = $1`,
    [idOf(service, 'just-done')],
  )
  const before = await dirty(service)
  t.strictSame(Object.keys(before), ['changing'])
  t.equal(await walk(service), 0)
  t.strictSame(await dirty(service), before)
  service.sandbox.state.removeUser(idOf(service, 'just-done'))
  t.equal(await walk(service), 0, 'nor is its absence')
})

/** Ann, Bob and Cid on a page each of three. */
async function threePages(t: Test) {
  const service = await start(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const [page, name] of ['ann', 'bob', 'cid'].entries()) {
    await actor.createUser(name)
    await actor.add('Agents', name)
    await service.settle()
    if (page === 2) break
    for (let n = 0; n < 500; n += 1)
      service.sandbox.state.putUser({ email: `filler${page}-${n}@example.com` })
  }
  return service
}

/** Calls `act` when the n-th page of accounts is asked for, before it is given. */
function atPage({ sandbox }: TestService, n: number, act: () => Promise<void> | void): void {
  let pages = 0
  sandbox.state.onRequest = async ({ method, route }) => {
    if (method !== 'GET' || route !== 'users') return
    pages += 1
    if (pages !== n) return
    sandbox.state.onRequest = undefined
    await act()
  }
}

const pagesAsked = ({ sandbox }: TestService, from: number) =>
  sandbox.state.requests.slice(from).filter(({ method, route }) => method === 'GET' && route === 'users')
    .length

t.test('an inventory that fails in the middle marks nobody missing, and is gone on with', async (t) => {
  const service = await threePages(t)
  const { state } = service.sandbox
  state.removeUser(idOf(service, 'ann'))
  state.removeUser(idOf(service, 'cid'))
  for (const fault of [
    { kind: 'error', status: 503 },
    { kind: 'html' },
    { kind: 'truncated' },
    { kind: 'reset' },
  ] as const) {
    atPage(service, 1, () => {})
    atPage(service, 2, () => state.faults.set({ ...fault, route: 'users', times: 1 }))
    await service.database.pool.query(
      'update inventory_walk set walk = null, began = null, stage = null, place = null',
    )
    await t.rejects(walk(service), { name: 'CampaignManagerError' }, fault.kind)
    t.strictSame(await dirty(service), {})
    t.strictSame(await findings(service), [])
  }
  const from = state.requests.length
  t.equal(await walk(service), 2)
  t.equal(pagesAsked(service, from), 2, 'the first page is not asked for again')
  t.strictSame(Object.keys(await dirty(service)), ['ann', 'cid'])
  await service.settle()
  t.strictSame(service.accounts()[emailOf('ann')], ['Agents'])
})

t.test('a walk whose process dies is finished by another, which sees every account', async (t) => {
  const first = await threePages(t)
  const second = await start(t, { beside: first })
  const { state } = first.sandbox
  state.editUser(idOf(first, 'ann'), { enabled: false })
  state.editUser(idOf(first, 'bob'), { enabled: false })
  state.removeUser(idOf(first, 'cid'))

  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  atPage(first, 2, async () => {
    reached.resolve()
    await released.promise
  })
  const dying = walk(first)
  await reached.promise
  t.equal(await second.running.service.resync.runOnce(), 0, 'one process walks at a time')
  await first.database.pool.query(`update inventory_walk set leased_until = now() - interval '1 second'`)
  const from = state.requests.length
  t.equal(await second.running.service.resync.runOnce(), 2)
  t.equal(pagesAsked(first, from), 2, 'from the page on that was not finished')
  t.strictSame(await findings(first), [
    'account_missing of cid: the account is not in the inventory',
    'disabled of ann: disabled, and should be enabled',
    'disabled of bob: disabled, and should be enabled',
  ])
  released.resolve()
  t.equal(await dying, 1, 'whoever lost the walk records nothing more')
  t.equal((await findings(first)).length, 3)
  await first.settle()
  t.strictSame(
    ['ann', 'bob', 'cid'].map((name) => state.userByEmail(emailOf(name))?.enabled),
    [true, true, true],
  )
})

t.test('a walk that is too old, or whose place is not known any more, begins anew', async (t) => {
  const service = await threePages(t)
  const { state } = service.sandbox
  const { pool } = service.database
  const failAtTwo = async () => {
    atPage(service, 2, () => state.faults.set({ kind: 'reset', route: 'users', times: 1 }))
    await t.rejects(walk(service), { code: 'network' })
  }
  await failAtTwo()
  await pool.query(`update inventory_walk set began = now() - interval '2 hours'`)
  let from = state.requests.length
  t.equal(await walk(service), 0)
  t.equal(pagesAsked(service, from), 3, 'too old')

  await failAtTwo()
  await pool.query(`update inventory_walk set place = 'gibberish'`)
  await t.rejects(walk(service), { name: 'PlaceRefusedError', message: /does not know the page any more/ })
  from = state.requests.length
  t.equal(await walk(service), 0)
  t.equal(pagesAsked(service, from), 3, 'unknown')
})

t.test('an inventory that shows nobody deletes nothing and creates nothing', async (t) => {
  const service = await start(t)
  await people(t, service, 'ann', 'bob')
  const accounts = accountsIn(service)
  const { db } = service.database
  const resync = createResync({
    db,
    intervalSeconds: 3600,
    takeStep: (held, place) =>
      takeInventoryStep(
        {
          db,
          campaignManager: { listAccounts: async () => ({ accounts: [], nextPageToken: undefined }) },
          roleCatalog: { get: async () => [] },
          policiesOf: async () => ({
            placeholderRole: PLACEHOLDER,
            protectedRoles: [],
            unknownRole: 'reject',
            existingAccounts: 'link',
            onDeactivate: 'ignore',
            onUserDelete: 'delete',
          }),
        },
        held,
        place,
      ),
    onDrift: () => {},
    onDirty: () => {},
    log: { info: () => {}, warn: () => {}, error: () => {} },
  })
  const calls = await callsDuring(service, async () => t.equal(await walkNow(service, resync), 2))
  t.strictSame(calls, { writes: [], reads: 2 }, 'everybody is looked for directly')
  t.strictSame(accountsIn(service), accounts)
  t.strictSame(await dirty(service), {})
})

t.test('a user who waits is tried again after a walk', async (t) => {
  const service = await start(t)
  const { state } = service.sandbox
  const actor = await people(t, service, 'ann')
  state.putUser({ email: 'taken@example.com' })
  await actor.changeUser('ann', 'emails[type eq "work"].value', 'taken@example.com')
  await service.settle()
  t.strictSame(Object.keys(await dirty(service)), ['ann'], 'the address is taken')
  state.removeUser(state.userByEmail('taken@example.com')?.id ?? '')
  await service.settle()
  t.strictSame(Object.keys(await dirty(service)), ['ann'], 'and it is not looked at again yet')
  await walk(service)
  await service.settle()
  t.strictSame(await dirty(service), {})
})
