import t from 'tap'
import { emailOf, entra, metric, PLACEHOLDER, reasons } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'
import { addTenant, ownOptions, rolesIn, startOther, tenantCommand, twoTenants } from './setup.ts'

const [ann, bob] = [emailOf('ann'), emailOf('bob')]

t.test('a policy of one tenant is gone by at once, for its users alone', async (t) => {
  const { service, own, here, there, tenant } = await twoTenants(t)
  for (const actor of [here, there]) {
    await actor.createGroup('Agents')
    await actor.createUser('ann')
    await actor.add('Agents', 'ann')
    await actor.active('ann', false)
  }
  await service.settle()
  const enabled = () => ({
    here: service.sandbox.state.userByEmail(ann)?.enabled,
    there: own.state.userByEmail(ann)?.enabled,
  })
  t.strictSame(enabled(), { here: true, there: true })
  t.match(await tenant('settings', 'other', '--on-deactivate', 'suspend'), {
    status: 0,
    stderr: '1 users marked; a running service reconciles them\n',
  })
  const { rows } = await service.database.pool.query('select removal from dirty_user')
  t.strictSame(rows, [{ removal: true }], 'who loses access by it is seen to first')
  await service.settle()
  t.strictSame(enabled(), { here: true, there: false })
  t.match(await tenant('settings', 'other', '--reset', 'on-deactivate'), { status: 0 })
  await service.settle()
  t.strictSame(enabled(), { here: true, there: true })
  t.match(await tenant('settings', 'other', '--reset', 'on-deactivate'), { stdout: /^nothing to change/ })
  t.strictSame((await service.database.pool.query('select from dirty_user')).rows, [])
})

t.test('another placeholder takes the place of the one before, and leaves nothing behind', async (t) => {
  const service = await startTestService(t, { roles: [PLACEHOLDER, 'Guest', 'Agents'] })
  const tenant = tenantCommand(service)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await service.settle()
  const id = service.sandbox.state.userByEmail(bob)?.id ?? ''
  service.sandbox.state.editUser(id, { roles: [PLACEHOLDER, 'Agents'] })
  await tenant('settings', 'default', '--placeholder-role', 'Guest')
  await service.settle()
  t.strictSame(service.accounts(), { [ann]: ['Guest'], [bob]: ['Agents'] }, 'a role given by hand stays')
  await actor.add('Agents', 'ann')
  await service.settle()
  t.strictSame(service.accounts()[ann], ['Agents'])
  await tenant('settings', 'default', '--reset', 'placeholder-role')
  await actor.createUser('cid')
  await service.settle()
  t.strictSame(service.accounts()[emailOf('cid')], [PLACEHOLDER])
})

t.test('a placeholder that was changed while an account was created is taken off, too', async (t) => {
  const service = await startTestService(t, { roles: [PLACEHOLDER, 'Guest', 'Agents'] })
  const actor = entra(t, service)
  const { state } = service.sandbox
  let changed = false
  state.onRequest = async ({ method }) => {
    if (method !== 'POST' || changed) return
    changed = true
    t.match(await tenantCommand(service)('settings', 'default', '--placeholder-role', 'Guest'), { status: 0 })
  }
  await actor.createUser('ann')
  await service.settle()
  t.ok(changed)
  t.strictSame(service.accounts(), { [ann]: ['Guest'] })
  t.strictSame((await service.database.pool.query('select placeholders from account')).rows, [
    { placeholders: ['Guest'] },
  ])
})

t.test('an attempt that went by the settings before begins no write once they are changed', async (t) => {
  const { service, own, there, tenant } = await twoTenants(t)
  await there.createGroup('Agents')
  await there.createUser('ann')
  await there.add('Agents', 'ann')
  await service.settle()
  const id = own.state.userByEmail(ann)?.id ?? ''
  own.state.addRole('By hand')
  own.state.editUser(id, { roles: ['Agents', 'By hand'] })
  await there.deleteUser('ann')
  let changed = false
  // The attempt has seen what is to be deleted, and has not begun to.
  own.state.onRequest = async ({ method }) => {
    if (method !== 'GET' || changed) return
    changed = true
    t.match(await tenant('settings', 'other', '--on-user-delete', 'release'), { status: 0 })
  }
  await service.settle()
  t.ok(changed)
  t.strictSame(rolesIn(own.state), { [ann]: ['By hand'] }, 'what was given by hand is left, as now wanted')
})

t.test('the URL is not changed while accounts are linked, nor given up', async (t) => {
  const { service, own, there, tenant } = await twoTenants(t)
  await there.createGroup('Agents')
  await there.createUser('ann')
  await service.settle()
  const another = await startOther(t)
  const refused = { status: 1, stdout: '', stderr: /has 1 accounts in the Campaign Manager it has now/ }
  t.match(await tenant('settings', 'other', ...ownOptions(t, another.url)), refused)
  t.match(await tenant('settings', 'other', '--reset', 'campaign-manager-url'), refused)
  await there.deleteUser('ann')
  t.match(await tenant('settings', 'other', ...ownOptions(t, another.url)), refused, 'not before it is gone')
  await service.settle()
  await there.createUser('bob')
  t.match(await tenant('settings', 'other', ...ownOptions(t, another.url)), { status: 0 })
  await service.settle()
  t.strictSame([rolesIn(own.state), rolesIn(another.state)], [{}, { [bob]: [PLACEHOLDER] }])
})

t.test('a creation that meets a change of the URL is not made in the former Campaign Manager', async (t) => {
  const { service, own, there, tenant } = await twoTenants(t)
  const another = await startOther(t)
  await there.createUser('ann')
  let changed = false
  own.state.onRequest = async () => {
    if (changed) return
    changed = true
    t.match(await tenant('settings', 'other', ...ownOptions(t, another.url)), { status: 0 })
  }
  await service.settle()
  t.ok(changed)
  t.strictSame([rolesIn(own.state), rolesIn(another.state)], [{}, { [ann]: [PLACEHOLDER] }])
})

t.test('an account that is there already, seen in the former Campaign Manager, is not linked', async (t) => {
  const { service, own, there, tenant } = await twoTenants(t)
  const another = await startOther(t)
  own.state.putUser({
    email: ann,
    externalId: 'entra-ann',
    firstName: 'ann',
    lastName: 'Test',
    displayName: 'ann',
    roles: [PLACEHOLDER],
  })
  await there.createUser('ann')
  let changed = false
  own.state.onRequest = async ({ method, route }) => {
    if (method !== 'GET' || route !== 'user' || changed) return
    changed = true
    t.match(await tenant('settings', 'other', ...ownOptions(t, another.url)), { status: 0 })
  }
  await service.settle()
  t.ok(changed)
  const { rows } = await service.database.pool.query('select endpoint from account')
  t.strictSame(rows, [{ endpoint: another.url }])
  t.strictSame(rolesIn(another.state), { [ann]: [PLACEHOLDER] })
})

t.test('an account that is recorded elsewhere is left alone', async (t) => {
  const { service, own, there } = await twoTenants(t)
  await there.createUser('ann')
  await service.settle()
  // As a process of an older version would leave it, which knows of no other Campaign Manager.
  await service.database.pool.query(`update account set endpoint = ''`)
  await there.deleteUser('ann')
  own.state.resetRequests()
  await service.settle()
  t.strictSame(own.state.requests, [])
  t.match(await reasons(service), [/^other_campaign_manager /])
})

t.test('two tenants that name one Campaign Manager share it as the others share theirs', async (t) => {
  const { service, own, there, tenant } = await twoTenants(t)
  const third = await addTenant(t, service, 'third')
  const spelled = own.url.replace('http://', 'HTTP://')
  t.match(await tenant('settings', 'third', ...ownOptions(t, `${spelled}/`)), { status: 0 })
  await there.createUser('ann')
  await service.settle()
  await third.actor.createUser('ann')
  await service.settle()
  t.match(await reasons(service), [/^account_linked_elsewhere /])
  await there.deleteUser('ann')
  await service.settle()
  t.strictSame(await reasons(service), [], 'and who waits is told when the account is given up')
  t.strictSame(rolesIn(own.state), { [ann]: [PLACEHOLDER] })
})

t.test('settings are shown, checked and refused with a reason', async (t) => {
  const { service, own, tenant } = await twoTenants(t)
  const shown = await tenant('settings', 'other')
  t.match(shown, { status: 0, stderr: '' })
  t.match(shown.stdout, new RegExp(`^campaign-manager-url +${own.url}$`, 'm'))
  t.match(shown.stdout, /^campaign-manager-key +set$/m)
  t.match(shown.stdout, /^placeholder-role +\(the service's\)$/m)
  await tenant('settings', 'other', '--protected-roles', 'A,B', '--unknown-role', 'hold')
  t.strictSame(JSON.parse((await tenant('settings', 'other', '--json')).stdout), {
    tenant: 'other',
    disabled: false,
    campaignManagerUrl: own.url,
    campaignManagerKey: 'set',
    placeholderRole: null,
    protectedRoles: ['A', 'B'],
    unknownRole: 'hold',
    existingAccounts: null,
    onDeactivate: null,
    onUserDelete: null,
  })
  const faults: [args: string[], stderr: RegExp][] = [
    [['--unknown-role', 'maybe'], /^--unknown-role: must be "reject" or "hold", not "maybe"/],
    [['--placeholder-role', ''], /^--placeholder-role: must be a role's name/],
    [['--protected-roles', 'placeholder'], /^the protected roles must not contain the placeholder role/],
    [['--placeholder-role', 'a'], /^the protected roles must not contain the placeholder role/],
    [ownOptions(t, 'ftp://x'), /^--campaign-manager-url: must be a URL/],
    [ownOptions(t, service.campaignManagerUrl), /^--campaign-manager-url: must not be CAMPAIGN_MANAGER_URL/],
    [ownOptions(t, own.url, 'with space'), /^the key: must be visible ASCII characters, without spaces\n/],
    [
      ['--campaign-manager-url', 'http://127.0.0.1:1'],
      /^--campaign-manager-url needs --campaign-manager-key/,
    ],
    [['--reset', 'everything'], /^--reset everything: there is no such setting/],
    [['--reset', 'unknown-role', '--unknown-role', 'hold'], /exclude each other/],
    [['--unknown-role', 'hold', '--json'], /^--json is for showing/],
  ]
  for (const [args, stderr] of faults) {
    t.match(await tenant('settings', 'other', ...args), { status: 2, stdout: '', stderr }, args.join(' '))
  }
  t.match(await tenant('settings', 'default', '--campaign-manager-key-file', '/nowhere'), {
    status: 2,
    stderr: /cannot be read from \/nowhere \(ENOENT\)/,
  })
  t.match((await tenant('list')).stdout, new RegExp(`^other +\\S+ +- +${own.url}$`, 'm'))
})

t.test('settings are changed while work goes on, and nothing of it fails or is lost', async (t) => {
  const at = await twoTenants(t, { env: { DELETION_GUARD_COUNT: '0' } })
  const { service, own, there, tenant } = at
  const people = Array.from({ length: 24 }, (_, index) => `person${index}`)
  await there.createGroup('Agents')
  for (const name of people) await there.createUser(name)
  await there.add('Agents', ...people)
  let changing = true
  const working = async () => {
    while (changing) await service.settle()
  }
  const change = async () => {
    for (const policy of ['suspend', 'ignore', 'suspend', 'ignore', 'suspend', 'ignore']) {
      t.match(await tenant('settings', 'other', '--on-deactivate', policy), { status: 0 })
      for (const name of people.splice(0, 2)) await there.deleteUser(name)
      await there.remove('Agents', ...people.splice(0, 2))
    }
    changing = false
  }
  await Promise.all([working(), change()])
  await service.settle()
  await service.retry()
  t.strictSame(rolesIn(own.state), {})
  t.equal(await metric(service, 'reconcile_total{outcome="error"}'), 0)
  t.strictSame(await reasons(service), [])
})

t.test('a role that was protected for a while is ours to take away again', async (t) => {
  const roles = [PLACEHOLDER, 'Agents', 'Editors']
  const service = await startTestService(t, { roles })
  const actor = entra(t, service)
  const tenant = tenantCommand(service)
  for (const group of ['Agents', 'Editors']) await actor.createGroup(group)
  for (const name of ['ann', 'bob']) {
    await actor.createUser(name)
    await actor.add('Agents', name)
    await actor.add('Editors', name)
  }
  await service.settle()
  t.match(await tenant('settings', 'default', '--protected-roles', 'Agents'), { status: 0 })
  await service.settle()
  await actor.remove('Agents', 'ann')
  await service.settle()
  t.same(service.accounts()[emailOf('ann')], ['Agents', 'Editors'], 'protected, it stays')
  t.match(await tenant('settings', 'default', '--reset', 'protected-roles'), { status: 0 })
  await service.settle()
  await actor.remove('Agents', 'bob')
  await service.settle()
  t.same(service.accounts(), { [emailOf('ann')]: ['Editors'], [emailOf('bob')]: ['Editors'] })
})

t.test('settings of a database that was set back are gone by', async (t) => {
  const { service, tenant, here } = await twoTenants(t)
  for (const policy of ['suspend', 'ignore']) {
    t.match(await tenant('settings', 'default', '--on-deactivate', policy), { status: 0 })
  }
  await here.createUser('ann')
  await service.settle()
  await service.database.pool.query('update tenant set settings_version = 1')
  await here.createUser('bob')
  await service.settle()
  t.same(Object.keys(service.accounts()).sort(), [emailOf('ann'), emailOf('bob')])
})
