import t, { type Test } from 'tap'
import { account, accountsIn, emailOf, entra, PLACEHOLDER, reasons } from '../e2e/setup.ts'
import { startTestService } from '../support/service.ts'

const annHas = (roles: string[]) => ({ [emailOf('ann')]: account('ann', roles) })

/** Ann, in Agents and Analyst. */
async function ann(t: Test, env: Record<string, string> = {}, roles?: string[]) {
  const service = await startTestService(t, { env, ...(roles && { roles }) })
  const actor = entra(t, service)
  await actor.createUser('ann')
  for (const group of ['Agents', 'Analyst']) {
    await actor.createGroup(group)
    await actor.add(group, 'ann')
  }
  await service.settle()
  t.strictSame(accountsIn(service), annHas(['Agents', 'Analyst']))
  return { service, actor, state: service.sandbox.state }
}

t.test('a foreign role that differs from a granted one only in case', async (t) => {
  const { service, actor, state } = await ann(t, {}, [PLACEHOLDER, 'Agents', 'agents', 'Analyst'])
  state.putUser({ email: emailOf('ann'), roles: ['Agents', 'agents', 'Analyst'] })
  await service.resync()
  t.same([...(accountsIn(service)[emailOf('ann')]?.roles ?? [])].sort(), ['Agents', 'Analyst', 'agents'])
  await actor.remove('Agents', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), annHas(['agents', 'Analyst']), 'stays when the granted one goes')
  await actor.remove('Analyst', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), annHas(['agents']), 'and keeps the account')
})

// The role list may be known from before the role was deleted, or be read anew each time.
for (const [when, env] of Object.entries({
  'with the role list still believed': {},
  'with the role list read anew': { ROLE_CACHE_SECONDS: '0' },
})) {
  t.test(`a role deleted in Campaign Manager that the account still shows, ${when}`, async (t) => {
    t.test('a granted one does not keep another role from being removed', async (t) => {
      const { service, actor, state } = await ann(t, env)
      state.removeRole('Agents')
      await actor.remove('Analyst', 'ann')
      await service.settle()
      await service.retry()
      t.strictSame(accountsIn(service), annHas([PLACEHOLDER]), 'Ann is in a group still, which has no role')
      t.match(await reasons(service), [/^role_unknown .*'Agents'/])
      state.addRole('Agents')
      // A fresh process does not believe an older list of roles.
      await (await startTestService(t, { beside: service, env })).retry()
      t.strictSame(accountsIn(service), annHas(['Agents']), 'and gets it once it is there')
      t.strictSame(await reasons(service), [])
    })

    t.test('a granted one does not keep the account from following its last group', async (t) => {
      const { service, actor, state } = await ann(t, env)
      state.removeRole('Agents')
      await actor.remove('Agents', 'ann')
      await service.settle()
      t.strictSame(accountsIn(service), annHas(['Analyst']))
      state.removeRole('Analyst')
      await actor.remove('Analyst', 'ann')
      await service.settle()
      t.strictSame(accountsIn(service), {})
      t.strictSame(await reasons(service), [])
    })

    t.test('a foreign one does not keep another role from being removed', async (t) => {
      const { service, actor, state } = await ann(t, env)
      state.putUser({ email: emailOf('ann'), roles: ['Agents', 'Analyst', 'Supervisors'] })
      await service.resync()
      state.removeRole('Supervisors')
      await actor.remove('Analyst', 'ann')
      await service.settle()
      await service.retry()
      t.strictSame(accountsIn(service), annHas(['Agents']))
      t.strictSame(await reasons(service), [])
    })

    t.test('a foreign one does not keep the account from following its last group', async (t) => {
      const { service, actor, state } = await ann(t, env)
      state.putUser({ email: emailOf('ann'), roles: ['Agents', 'Analyst', 'Supervisors'] })
      await service.resync()
      state.removeRole('Supervisors')
      await actor.deleteGroup('Agents')
      await actor.deleteGroup('Analyst')
      await service.settle()
      await service.retry()
      t.strictSame(accountsIn(service), {})
      t.strictSame(await reasons(service), [])
    })
  })
}

t.test('while the role list cannot be read', async (t) => {
  t.test('the removal of one of two roles arrives', async (t) => {
    const { service, actor, state } = await ann(t, { ROLE_CACHE_SECONDS: '0' })
    state.faults.set({ kind: 'error', status: 500, route: 'roles' })
    await actor.remove('Analyst', 'ann')
    await service.settle()
    t.strictSame(accountsIn(service), annHas(['Agents']))
    t.strictSame(await reasons(service), [])
  })

  t.test('a new role waits, holds up no removal, and arrives later', async (t) => {
    const { service, actor, state } = await ann(t, { ROLE_CACHE_SECONDS: '0' })
    await actor.createGroup('Supervisors')
    state.faults.set({ kind: 'error', status: 500, route: 'roles' })
    await actor.add('Supervisors', 'ann')
    await service.settle()
    t.strictSame(accountsIn(service), annHas(['Agents', 'Analyst']))
    t.match(await reasons(service), [/^internal /])
    await actor.remove('Analyst', 'ann')
    await service.settle()
    t.strictSame(accountsIn(service), annHas(['Agents']), 'the removal does not wait')
    t.match(await reasons(service), [/^internal /])
    state.faults.clear()
    await service.retry()
    t.strictSame(accountsIn(service), annHas(['Agents', 'Supervisors']))
    t.strictSame(await reasons(service), [])
  })
})
