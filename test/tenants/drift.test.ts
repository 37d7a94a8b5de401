import t from 'tap'
import { emailOf, PLACEHOLDER } from '../e2e/setup.ts'
import { callCommand } from '../support/command.ts'
import { CAMPAIGN_MANAGER_TOKEN } from '../support/service.ts'
import { addTenant, ENCRYPTION_KEY, ownOptions, rolesIn, type TwoTenants, twoTenants } from './setup.ts'

const walking = { env: { RESYNC_INTERVAL_SECONDS: '3600' } }
const ann = emailOf('ann')

async function walk({ service }: TwoTenants): Promise<number> {
  const { resync } = service.running.service
  const found = await resync.runOnce()
  await service.database.pool.query('update inventory_walk set due_at = now()')
  return found + (await resync.runOnce())
}

const drift = ({ service }: TwoTenants, ...args: string[]) =>
  callCommand(['drift', ...args], {
    DATABASE_URL: service.database.url,
    CAMPAIGN_MANAGER_URL: service.campaignManagerUrl,
    CAMPAIGN_MANAGER_TOKEN,
    ENCRYPTION_KEY,
  })

const findings = async ({ service }: TwoTenants) =>
  (
    await service.database.pool.query(
      'select endpoint, kind, tenant_id is null as nobody from drift_finding order by endpoint, kind',
    )
  ).rows

async function annInBoth(t: Parameters<typeof twoTenants>[0]) {
  const at = await twoTenants(t, walking)
  for (const actor of [at.here, at.there]) {
    await actor.createGroup('Agents')
    await actor.createUser('ann')
    await actor.add('Agents', 'ann')
  }
  await at.service.settle()
  return at
}

t.test('each Campaign Manager is compared with the tenants whose accounts are in it', async (t) => {
  const at = await annInBoth(t)
  const { service, own } = at
  t.equal(await walk(at), 0, 'nobody is missing in the one because of the other')
  t.strictSame(await findings(at), [])

  // Known to the default tenant, and to nobody whose accounts are there.
  await at.here.createUser('bob')
  await service.settle()
  own.state.putUser({ email: 'stray@example.com', externalId: 'entra-bob' })
  own.state.editUser(own.state.userByEmail(ann)?.id ?? '', { enabled: false })
  service.sandbox.state.removeUser(service.sandbox.state.userByEmail(ann)?.id ?? '')
  t.equal(await walk(at), 3)
  t.strictSame(await findings(at), [
    { endpoint: '', kind: 'account_missing', nobody: false },
    { endpoint: own.url, kind: 'disabled', nobody: false },
    { endpoint: own.url, kind: 'orphan', nobody: true },
  ])
  await service.retry()
  await service.retry()
  t.strictSame(rolesIn(service.sandbox.state)[ann], ['Agents'])
  t.equal(own.state.userByEmail(ann)?.enabled, true)
})

t.test('the command lists the differences of all, and says whose they are', async (t) => {
  const at = await annInBoth(t)
  const { service, own } = at
  t.match(await drift(at), { status: 0, stdout: 'Every account is as it should be.\n' })
  for (const state of [service.sandbox.state, own.state]) {
    state.editUser(state.userByEmail(ann)?.id ?? '', { enabled: false })
  }
  const listed = await drift(at)
  t.equal(listed.status, 1)
  t.match(listed.stdout, /^KIND .* CAMPAIGN MANAGER\n/)
  t.match(listed.stdout, /^disabled +default .* shared$/m)
  t.match(listed.stdout, new RegExp(`^disabled +other .* ${own.url}$`, 'm'))
  t.match(JSON.parse((await drift(at, '--json')).stdout), [
    { campaignManager: null, tenant: 'default' },
    { campaignManager: own.url, tenant: 'other' },
  ])
  own.state.faults.set({ kind: 'error', status: 503 })
  const partial = await drift(at, '--repair', '--json')
  t.match(partial, { status: 1, stderr: new RegExp(`^${own.url} could not be compared: .*503`) })
  t.match(JSON.parse(partial.stdout), [{ campaignManager: null, marked: true }], 'the others are mended')
})

t.test('a walk waits while its Campaign Manager is left alone, and another’s goes on', async (t) => {
  const at = await annInBoth(t)
  const { service, own, there } = at
  await walk(at)
  own.state.faults.set({ kind: 'error', status: 503 })
  for (const name of ['one', 'two', 'three', 'four', 'five']) await there.createUser(name)
  await service.settle()
  service.sandbox.state.editUser(service.sandbox.state.userByEmail(ann)?.id ?? '', { enabled: false })
  own.state.resetRequests()
  t.equal(await walk(at), 1)
  t.strictSame(own.state.requests, [])
  t.strictSame(await findings(at), [{ endpoint: '', kind: 'disabled', nobody: false }])
  const { rows } = await service.database.pool.query(
    'select endpoint, lease is null as free, due_at > now() as later, walk is not null as begun from inventory_walk order by 1',
  )
  t.match(rows, [
    { endpoint: '', free: true, later: true, begun: false },
    { endpoint: own.url, free: true, later: true, begun: true },
  ])
})

t.test('nobody of a disabled tenant is found missing, and its Campaign Manager is not asked', async (t) => {
  const at = await annInBoth(t)
  const { own, tenant, service } = at
  await tenant('disable', 'other')
  own.state.resetRequests()
  own.state.removeUser(own.state.userByEmail(ann)?.id ?? '')
  t.equal(await walk(at), 0)
  t.strictSame(own.state.requests, [])
  t.match(await drift(at), { status: 0 })
  await tenant('enable', 'other')
  t.equal(await walk(at), 1)
  await service.retry()
  await service.retry()
  t.strictSame(rolesIn(own.state), { [ann]: ['Agents'] })
})

t.test('what was found in a Campaign Manager that no tenant has any more is forgotten', async (t) => {
  const at = await twoTenants(t, walking)
  const { own, tenant, there, service } = at
  own.state.putUser({ email: 'stray@example.com', externalId: 'entra-nobody' })
  t.equal(await walk(at), 1)
  t.match(await findings(at), [{ endpoint: own.url, kind: 'orphan' }])
  t.match(await tenant('settings', 'other', '--reset', 'campaign-manager-url'), { status: 0 })
  t.equal(await walk(at), 0)
  t.strictSame(await findings(at), [])
  const { rows } = await service.database.pool.query('select endpoint, singleton from inventory_walk')
  t.strictSame(rows, [{ endpoint: '', singleton: true }])
  await there.createUser('ann')
  await service.settle()
  t.strictSame(service.accounts(), { [ann]: [PLACEHOLDER] }, 'it is in the shared one from then on')
})

t.test('an inventory that cannot be compared ends nothing but its own comparison', async (t) => {
  const at = await annInBoth(t)
  const { service, own } = at
  own.state.faults.set({ kind: 'unauthorized' })
  // Taken after the one that fails, which must not fail unheard meanwhile: that would end the process.
  await service.running.service.resync.runOnce().catch(() => {})
  await service.database.pool.query(
    `update inventory_walk set due_at = case when endpoint = '' then now() else now() - interval '1 hour' end`,
  )
  await t.rejects(service.running.service.resync.runOnce())
  const { rows } = await service.database.pool.query(
    'select endpoint from inventory_walk where due_at > now()',
  )
  t.same(rows.map(({ endpoint }) => endpoint).sort(), ['', own.url], 'the other one was compared')
})

t.test(
  'a tenant’s wrong key keeps nobody else’s accounts in the same Campaign Manager from being compared',
  async (t) => {
    const at = await annInBoth(t)
    const { service, own, tenant } = at
    const third = await addTenant(t, service, 'third')
    t.match(await tenant('settings', 'third', ...ownOptions(t, own.url)), { status: 0 })
    await third.actor.createGroup('Agents')
    await third.actor.createUser('cid')
    await third.actor.add('Agents', 'cid')
    await service.settle()
    t.match(await tenant('settings', 'other', ...ownOptions(t, own.url, 'a-wrong-key')), { status: 0 })
    own.state.editUser(own.state.userByEmail(emailOf('cid'))?.id ?? '', { enabled: false })
    t.equal(await walk(at), 1)
    await service.settle()
    t.equal(own.state.userByEmail(emailOf('cid'))?.enabled, true)
  },
)
