import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { decideDeletions } from '../../src/provisioning/decide-deletions.ts'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import { callCommand } from '../support/command.ts'
import { scimClient } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import {
  account,
  type Change,
  callsDuring,
  emailOf,
  entra,
  metric,
  PLACEHOLDER,
  reasons,
  step,
  userNameOf,
} from './setup.ts'

const guarded = { DELETION_GUARD_COUNT: '3', DELETION_GUARD_PERCENT: '20', DELETION_GUARD_MINUTES: '10' }
const five = ['ann', 'bob', 'cid', 'dan', 'eve']

const everyone = (names: readonly string[], change: (name: string) => Change): Record<string, Change> =>
  Object.fromEntries(names.map((name) => [name, change(name)]))
const disabled =
  (...roles: string[]) =>
  (name: string) =>
    account(name, roles, { enabled: false })
const enabled =
  (...roles: string[]) =>
  (name: string) =>
    account(name, roles)
const gone = (): Change => 'gone'

/** Five people in one group, in a tenant where more than three deletions are too many. */
async function fiveAgents(t: Test, env: Record<string, string> = {}) {
  const service = await startTestService(t, { env: { ...guarded, ...env } })
  const actor = entra(t, service)
  for (const group of ['Agents', 'Supervisors']) await actor.createGroup(group)
  for (const name of five) await actor.createUser(name)
  await actor.add('Agents', ...five)
  await service.settle()
  return { service, actor }
}

type Actor = Awaited<ReturnType<typeof fiveAgents>>['actor']

async function deleteAll(actor: Actor, names: readonly string[] = five): Promise<void> {
  for (const name of names) await actor.deleteUser(name)
}

/** `tenant deletions`, which must succeed. */
async function deletions(t: Test, { database }: TestService, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await callCommand(['tenant', 'deletions', ...args], {
    DATABASE_URL: database.url,
  })
  t.equal(status, 0, stderr)
  return stdout
}

const decide = (t: Test, service: TestService, word: 'release' | 'cancel') =>
  deletions(t, service, word, '--tenant', 'default')

const held = async (t: Test, service: TestService) => JSON.parse(await deletions(t, service, '--json'))

const areHeld = (t: Test, all: readonly string[], count: number) => {
  t.equal(all.length, count)
  for (const reason of all) t.match(reason, /^deletion_held /)
}

t.test('a group is unassigned: too many lose their only role, and the hold is released', async (t) => {
  const { service, actor } = await fiveAgents(t)
  await step(
    t,
    service,
    'disabled instead of deleted',
    () => actor.deleteGroup('Agents'),
    everyone(five, disabled('Agents')),
  )
  areHeld(t, await reasons(service), 5)
  t.equal(await metric(service, 'deletions_held'), 5)
  t.match(await held(t, service), [
    { tenant: 'default', disabled: 5, waiting: 0, deleted: 0, pending: 5, accounts: 5 },
  ])
  const accounts = (await deletions(t, service, 'accounts', '--tenant', 'default')).split('\n')
  t.match(accounts[0], /^TENANT +USER +USER NAME +ACCOUNT +STATE$/)
  t.strictSame(
    accounts.slice(1, -1).map((line) => line.replace(/^default +\S+ +(\S+) +\S+ +/, '$1 ')),
    five.map((name) => `${userNameOf(name)} disabled`),
  )
  const calls = await callsDuring(service, () => step(t, service, 'and so it stays', () => {}))
  t.strictSame(calls, { writes: [], reads: 0 }, 'without asking again and again')
  await step(t, service, 'whatever is looked at again', () => service.resync())
  await step(t, service, 'or tried again', () => service.retry())

  t.equal(await decide(t, service, 'release'), '5 accounts will be deleted\n')
  await step(t, service, 'released', () => {}, everyone(five, gone))
  t.strictSame(await reasons(service), [])
  t.strictSame(await held(t, service), [], 'no new hold')
  t.equal(await metric(service, 'deletions_held'), 0)

  await step(t, service, 'all in good order', () => actor.add('Supervisors', ...five), {
    ...everyone(five, enabled('Supervisors')),
  })
  await step(t, service, 'one deletion', () => actor.remove('Supervisors', 'ann'), { ann: 'gone' })
})

t.test('too many users are deleted, and the hold is cancelled', async (t) => {
  const { service, actor } = await fiveAgents(t)
  await step(t, service, 'disabled', () => deleteAll(actor), everyone(five, disabled('Agents')))
  areHeld(t, await reasons(service), 5)
  t.equal(await decide(t, service, 'cancel'), '5 accounts stay, and get their access back\n')
  await step(t, service, 'access is given back', () => {}, everyone(five, enabled('Agents')))
  t.strictSame(await reasons(service), [])
  t.strictSame(await held(t, service), [])
  t.equal(await metric(service, 'deletions_held'), 0)
  await step(t, service, 'and stays', () => service.resync())
  const restarted = await startTestService(t, { env: guarded, beside: service })
  await step(t, restarted, 'after a restart, too', () => restarted.resync())

  await step(t, service, 'created anew: the account is taken over', () => actor.createUser('ann'), {
    ann: [PLACEHOLDER],
  })
  t.strictSame(await reasons(service), [])
  await step(t, service, 'it follows the groups', () => actor.add('Agents', 'ann'), { ann: ['Agents'] })
  await step(t, service, 'up and down', () => actor.add('Supervisors', 'ann'), {
    ann: ['Agents', 'Supervisors'],
  })
  await step(t, service, 'down', () => actor.remove('Agents', 'ann'), { ann: ['Supervisors'] })
  await step(t, service, 'and goes with the last one', () => actor.remove('Supervisors', 'ann'), {
    ann: 'gone',
  })
  const another = { externalId: 'entra-another-bob' }
  await step(t, service, 'the same address is not the same person', () => actor.createUser('bob', another))
  t.match(await reasons(service), [/account_linked_elsewhere/])
})

t.test('a group is unassigned by mistake, and the hold is cancelled', async (t) => {
  const { service, actor } = await fiveAgents(t)
  await actor.createUser('fay')
  await actor.add('Supervisors', 'fay')
  await step(t, service, 'disabled', () => actor.remove('Agents', ...five), {
    ...everyone(five, disabled('Agents')),
    fay: account('fay', ['Supervisors']),
  })
  await decide(t, service, 'cancel')
  await step(t, service, 'back', () => {}, everyone(five, enabled('Agents')))
  await step(t, service, 'which stays', () => service.resync())
  await step(t, service, 'fields follow', () => actor.changeUser('ann', 'displayName', 'Ann'), {
    ann: account('ann', ['Agents'], { displayName: 'Ann' }),
  })
  await step(t, service, 'the next group is the only one', () => actor.add('Supervisors', 'bob'), {
    bob: ['Supervisors'],
  })
  await step(t, service, 'and the last one', () => actor.remove('Supervisors', 'bob'), { bob: 'gone' })
  await step(t, service, 'deleted for good', () => actor.deleteUser('cid'), { cid: 'gone' })
  await step(
    t,
    service,
    'reactivated',
    async () => {
      await actor.active('dan', false)
      await actor.active('dan', true)
    },
    { dan: [PLACEHOLDER] },
  )
})

t.test('while deletions are held', async (t) => {
  const { service, actor } = await fiveAgents(t)
  for (const name of ['fay', 'gus']) await actor.createUser(name)
  await actor.add('Supervisors', 'fay', 'gus')
  await actor.add('Agents', 'gus')
  await service.settle()
  await step(t, service, 'five', () => actor.remove('Agents', ...five), everyone(five, disabled('Agents')))
  await step(t, service, 'who comes back has access', () => actor.add('Agents', 'ann'), {
    ann: account('ann', ['Agents']),
  })
  await step(t, service, 'into another group', () => actor.add('Supervisors', 'bob'), {
    bob: account('bob', ['Supervisors']),
  })
  await step(
    t,
    service,
    'reactivated',
    async () => {
      await actor.active('cid', false)
      await actor.active('cid', true)
    },
    { cid: account('cid', [PLACEHOLDER]) },
  )
  await step(t, service, 'a role leaves as ever', () => actor.remove('Agents', 'gus'), {
    gus: ['Supervisors'],
  })
  await step(t, service, 'a further deletion is held', () => actor.remove('Supervisors', 'gus'), {
    gus: disabled('Supervisors')('gus'),
  })
  await step(t, service, 'a user whose deletion is held is deleted', () => actor.deleteUser('dan'))
  await step(t, service, 'and created anew', () => actor.createUser('dan'), {
    dan: account('dan', [PLACEHOLDER]),
  })
  await step(
    t,
    service,
    'deleted and created anew at once',
    async () => {
      await actor.deleteUser('gus')
      await actor.createUser('gus')
      await service.settle()
      // Who found the former user just being worked on comes again a moment later, when that is over.
      await service.retry('account_linked_elsewhere')
    },
    { gus: account('gus', [PLACEHOLDER]) },
  )
  areHeld(t, await reasons(service), 1)
  t.equal(await metric(service, 'deletions_held'), 1)
  t.equal(await decide(t, service, 'release'), '1 accounts will be deleted\n')
  await step(t, service, 'released', () => {}, { eve: 'gone' })
})

t.test('somebody enables a disabled account by hand', async (t) => {
  const { service, actor } = await fiveAgents(t)
  await step(t, service, 'held', () => actor.deleteGroup('Agents'), everyone(five, disabled('Agents')))
  const { state } = service.sandbox
  state.editUser(state.userByEmail(emailOf('ann'))?.id ?? '', { enabled: true })
  await step(t, service, 'put back', () => service.retry(), { ann: disabled('Agents')('ann') })
})

t.test('nothing is held below either limit, or with the guard off', async (t) => {
  const { service, actor } = await fiveAgents(t)
  const three = five.slice(0, 3)
  await step(t, service, 'three of five', () => deleteAll(actor, three), everyone(three, gone))

  const off = await fiveAgents(t, { DELETION_GUARD_COUNT: '0' })
  await step(t, off.service, 'off', () => deleteAll(off.actor), everyone(five, gone))

  const few = await fiveAgents(t, { DELETION_GUARD_PERCENT: '99' })
  for (const name of ['fay', 'gus']) await few.actor.createUser(name)
  await few.service.settle()
  await step(t, few.service, 'five of seven', () => deleteAll(few.actor), everyone(five, gone))
  for (const each of [service, off.service, few.service]) t.strictSame(await held(t, each), [])
})

t.test('one after the other is too many as well', async (t) => {
  const { service, actor } = await fiveAgents(t)
  for (const name of ['ann', 'bob', 'cid']) {
    await step(t, service, name, () => actor.deleteUser(name), { [name]: 'gone' })
  }
  await step(t, service, 'the fourth', () => actor.deleteUser('dan'), { dan: disabled('Agents')('dan') })
  t.match(await held(t, service), [{ deleted: 3, pending: 1, accounts: 5, disabled: 1 }])
  await decide(t, service, 'release')
  await step(t, service, 'released', () => {}, { dan: 'gone' })
  await step(t, service, 'the window begins anew', () => actor.deleteUser('eve'), { eve: 'gone' })
})

t.test('two processes and two tenants', async (t) => {
  const { service, actor } = await fiveAgents(t)
  const { db, url } = service.database
  await createTenant(db, 'acme')
  const { token = '' } = (await issueToken(db, 'acme', 'test', undefined)) ?? {}
  const acme = entra(t, { ...service, scim: scimClient(service.url, token) })
  await acme.createGroup('Supervisors')
  const theirs = ['kim', 'lea', 'max']
  for (const name of theirs) await acme.createUser(name)
  await acme.add('Supervisors', ...theirs)
  await service.settle()
  const beside = await startTestService(t, { env: guarded, beside: service })
  await step(
    t,
    service,
    'one is held, by both; the other is not',
    async () => {
      await actor.deleteGroup('Agents')
      await acme.deleteUser('kim')
      await Promise.all([service.settle(), beside.settle()])
    },
    { ...everyone(five, disabled('Agents')), kim: 'gone' },
  )
  t.match(await deletions(t, service, '--tenant', 'acme'), /^TENANT.*\n$/)
  t.match(
    await deletions(t, service),
    /^TENANT .*\ndefault +\S+ +5 +0 +0 deleted and 5 to be deleted of 5\n$/,
  )
  const other = await callCommand(['tenant', 'deletions', 'release', '--tenant', 'acme'], {
    DATABASE_URL: url,
  })
  t.match(other, { status: 1, stderr: 'no deletions of tenant acme are held\n' })
  const unknown = ['--tenant', 'nobody']
  for (const args of [unknown, ['release', ...unknown]]) {
    const { status, stderr } = await callCommand(['tenant', 'deletions', ...args], { DATABASE_URL: url })
    t.equal(status, 1)
    t.equal(stderr, 'there is no tenant named nobody\n')
  }
  const wrong: [string[], RegExp][] = [
    [['deletions', 'cancel'], /--tenant is required/],
    [['deletions', 'stop', '--tenant', 'acme'], /say "tenant deletions"/],
    [['list', '--tenant', 'acme'], /--tenant is for "tenant deletions"/],
  ]
  for (const [args, message] of wrong) {
    t.match(await callCommand(['tenant', ...args]), { status: 2, stderr: message })
  }
})

t.test('ON_DEACTIVATE=suspend: who had no access before gets none by a cancelled hold', async (t) => {
  const { service, actor } = await fiveAgents(t, { ON_DEACTIVATE: 'suspend' })
  for (const name of ['ann', 'bob']) await actor.active(name, false)
  await service.settle()
  await actor.remove('Agents', 'bob', 'cid')
  await deleteAll(actor, ['ann', 'dan', 'eve'])
  await service.settle()
  areHeld(t, await reasons(service), 5)
  await decide(t, service, 'cancel')
  await step(t, service, 'cancelled', () => {}, everyone(['cid', 'dan', 'eve'], enabled('Agents')))
})

t.test('an account that a read still shows disabled is disabled', async (t) => {
  const { service, actor } = await fiveAgents(t, { ON_DEACTIVATE: 'suspend' })
  const { state } = service.sandbox
  for (const active of [false, true]) {
    await actor.active('ann', active)
    await service.settle()
  }
  const id = state.userByEmail(emailOf('ann'))?.id ?? ''
  state.faults.set({ kind: 'stale', durationMs: 600_000, emailOrId: id, times: 1 })
  await step(t, service, 'held', () => actor.remove('Agents', ...five), everyone(five, disabled('Agents')))
})

t.test('a held account is not lost sight of by two looks in vain, between which it was seen', async (t) => {
  const { service, actor } = await fiveAgents(t)
  const { database, sandbox } = service
  await deleteAll(actor)
  await service.settle()
  const look = async (...faults: FaultRule[]) => {
    sandbox.state.faults.set(...faults)
    await sql`update dirty_user set not_before = now()`.execute(database.db)
    await service.settle()
    sandbox.state.faults.clear()
  }
  const unseen = { kind: 'not_found', method: 'GET', route: 'user' } as const
  await look(unseen)
  for (const reason of await reasons(service)) t.match(reason, /^account_missing /)
  await look()
  areHeld(t, await reasons(service), 5)
  await sql`update account set missing_since = missing_since - interval '1 hour'`.execute(database.db)
  await look(unseen)
  await service.retry()
  areHeld(t, await reasons(service), 5)
})

t.test('whoever takes a held account over is enabled, though a read shows it as it was before', async (t) => {
  const { service, actor } = await fiveAgents(t)
  const { database, sandbox } = service
  await deleteAll(actor)
  await service.settle()
  for (const name of five) await actor.createUser(name)
  await actor.add('Agents', ...five)
  sandbox.state.faults.set({ kind: 'stale', method: 'GET', durationMs: 600_000 })
  await sql`update dirty_user set not_before = now()`.execute(database.db)
  await service.settle()
  sandbox.state.faults.clear()
  await service.retry()
  t.strictSame(
    sandbox.state.users().map((user) => user.enabled),
    five.map(() => true),
  )
})

t.test('an account that could not be disabled before the hold is cancelled', async (t) => {
  const { service, actor } = await fiveAgents(t)
  const { faults } = service.sandbox.state
  faults.set({ kind: 'cut_off', method: 'PUT', times: 2 })
  await step(
    t,
    service,
    'disabled, and for two the answer is lost',
    () => deleteAll(actor),
    everyone(five, disabled('Agents')),
  )
  faults.set({ kind: 'error', status: 500, method: 'PUT' })
  await service.retry()
  t.equal((await reasons(service)).length, 5)
  t.equal(await decide(t, service, 'cancel'), '5 accounts stay, and get their access back\n')
  faults.clear()
  await step(t, service, 'back', () => service.retry(), everyone(five, enabled('Agents')))
  t.strictSame(await reasons(service), [])
})

t.test('a user comes back and an operator decides in the midst of it', async (t) => {
  const { service, actor } = await fiveAgents(t)
  const { db } = service.database
  const { state } = service.sandbox
  const idOf = (name: string) => state.userByEmail(emailOf(name))?.id
  const [ann, bob] = [idOf('ann'), idOf('bob')]
  const { tenant_id: tenantId } = await db.selectFrom('tenant').select('tenant_id').executeTakeFirstOrThrow()
  let back = false
  let decided = false
  state.onRequest = async ({ method, userId }) => {
    if (method === 'GET' && userId === ann && !back) {
      back = true
      await actor.add('Agents', 'ann')
    }
    if (method === 'PUT' && userId === bob && !decided) {
      decided = true
      t.ok(await decideDeletions(db, tenantId, 'kept'))
    }
  }
  await step(t, service, 'everybody has access', async () => {
    await actor.remove('Agents', ...five)
    await service.settle()
    // An attempt that was overtaken comes again a moment later.
    await service.retry()
  })
  t.ok(back && decided)
  t.strictSame(await reasons(service), [])
  const { rows } = await service.database.pool.query('select from account where deletion = $1', ['held'])
  t.equal(rows.length, 0)
})
