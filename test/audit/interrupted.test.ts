// What the trail tells of writes that were made by a process that died before it could say what became of them.
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { emailOf, entra } from '../e2e/setup.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { checkWhole, type Entry, entries } from './setup.ts'

async function setting(t: Test) {
  const service = await startTestService(t)
  const actor = entra(t, service)
  for (const group of ['Agents', 'Analyst', 'Supervisors']) await actor.createGroup(group)
  await actor.createUser('ann')
  await actor.add('Agents', 'ann')
  await service.settle()
  return { ...service, actor }
}

/** The next such write is carried out, and nothing of it is recorded: its process has lost the user, as one that died has. */
function loseAfter({ sandbox, database }: TestService, method: string): void {
  const { state } = sandbox
  state.onApplied = async (request) => {
    if (request.method !== method) return
    state.onApplied = undefined
    await sql`update dirty_user set lease = gen_random_uuid() where lease is not null`.execute(database.db)
  }
}

async function takeOver({ database, retry }: TestService): Promise<void> {
  await sql`update dirty_user set lease = null, leased_until = null`.execute(database.db)
  await retry()
}

/** The writes, each as `operation result reason [roles before] [roles after]`. */
async function writes(t: Test, { database }: TestService): Promise<string[]> {
  await checkWhole(t, database.db)
  const roles = (held: Entry['wanted_roles']) => `[${held ?? ''}]`
  return (await entries(database.db))
    .filter(({ resource_type }) => resource_type === 'Account')
    .map((entry) =>
      [
        entry.operation.slice('account.'.length),
        ...(entry.reason ? [entry.result, entry.reason] : []),
        roles(entry.observed_roles),
        roles(entry.wanted_roles),
      ].join(' '),
    )
}

t.test('a write, with what it was to bring about', async (t) => {
  const service = await setting(t)
  await service.actor.add('Analyst', 'ann')
  loseAfter(service, 'PUT')
  await service.settle()
  t.same(service.accounts(), { [emailOf('ann')]: ['Agents', 'Analyst'] }, 'it was carried out')
  await service.actor.remove('Analyst', 'ann')
  await takeOver(service)
  t.same((await writes(t, service)).slice(1), [
    'replace unknown interrupted [Agents] [Agents,Analyst]',
    'replace [Agents,Analyst] [Agents]',
  ])
})

t.test('a write after one of which it is told that nobody knows', async (t) => {
  const service = await setting(t)
  service.sandbox.state.faults.set({ kind: 'error', status: 503, method: 'PUT', times: 1 })
  await service.actor.add('Analyst', 'ann')
  await service.settle()
  await service.actor.add('Supervisors', 'ann')
  loseAfter(service, 'PUT')
  await service.retry()
  await service.actor.remove('Supervisors', 'ann')
  await takeOver(service)
  t.same((await writes(t, service)).slice(1), [
    'replace unknown unavailable [Agents] [Agents,Analyst]',
    'replace unknown interrupted [Agents] [Agents,Analyst,Supervisors]',
    'replace [Agents,Analyst,Supervisors] [Agents,Analyst]',
  ])
})

t.test('a write of the roles alone, because the fields were refused', async (t) => {
  const service = await setting(t)
  service.sandbox.state.putUser({ email: emailOf('taken'), roles: ['Administrator'] })
  await service.actor.changeUser('ann', 'emails[type eq "work"].value', emailOf('taken'))
  await service.settle()
  await service.actor.add('Supervisors', 'ann')
  loseAfter(service, 'PUT')
  await service.settle()
  t.same(service.accounts()[emailOf('ann')], ['Agents', 'Supervisors'], 'it was carried out')
  await takeOver(service)
  t.ok(
    (await writes(t, service)).includes('replace unknown interrupted [Agents] [Agents,Supervisors]'),
    'it is told that it was begun',
  )
})

t.test('a creation after a deletion that was never answered', async (t) => {
  const service = await setting(t)
  service.sandbox.state.faults.set({ kind: 'cut_off', method: 'DELETE', times: 1 })
  await service.actor.remove('Agents', 'ann')
  await service.settle()
  await service.actor.add('Analyst', 'ann')
  loseAfter(service, 'POST')
  await service.retry()
  await service.retry()
  t.same(service.accounts(), { [emailOf('ann')]: ['Analyst'] }, 'it was carried out')
  await takeOver(service)
  const told = await writes(t, service)
  t.ok(told.includes('create unknown interrupted [] [Analyst]'), 'it is told that it was begun')
})
