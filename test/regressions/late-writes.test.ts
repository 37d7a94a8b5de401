import t, { type Test } from 'tap'
import {
  account,
  accountsIn,
  callsDuring,
  emailOf,
  entra,
  metric,
  PLACEHOLDER,
  reasons,
} from '../e2e/setup.ts'
import type { WriteMethod } from '../support/campaign-manager-proxy.ts'
import { startProxiedService } from './setup.ts'

/** Ann, in the groups named. */
async function ann(t: Test, ...groups: string[]) {
  const service = await startProxiedService(t)
  const actor = entra(t, service)
  for (const group of ['Agents', 'Analyst']) await actor.createGroup(group)
  await actor.createUser('ann')
  for (const group of groups) await actor.add(group, 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), { [emailOf('ann')]: account('ann', groups) })
  return { service, actor }
}

const hasRoles = (roles: string[]) => ({ [emailOf('ann')]: account('ann', roles) })

t.test('a change that is answered with the account as it was', async (t) => {
  t.test('loses no removal, and makes no role foreign', async (t) => {
    const { service, actor } = await ann(t, 'Agents', 'Analyst')
    service.proxy.answerStale('PUT')
    await actor.remove('Analyst', 'ann')
    await service.settle()
    t.strictSame(accountsIn(service), hasRoles(['Agents', 'Analyst']), 'the change was lost')
    t.match(await reasons(service), [/^not_applied /], 'and was noticed to be')
    await service.retry()
    t.strictSame(accountsIn(service), hasRoles(['Agents']))
    t.strictSame(await reasons(service), [])
    t.equal(await metric(service, 'drift_found_total{kind="roles_changed"}'), 0, 'nobody else changed it')
    await actor.remove('Agents', 'ann')
    await service.settle()
    t.strictSame(accountsIn(service), {}, 'a role taken for a foreign one would have kept the account')
  })

  t.test('loses no addition', async (t) => {
    const { service, actor } = await ann(t, 'Agents')
    service.proxy.answerStale('PUT')
    await actor.add('Analyst', 'ann')
    await service.settle()
    t.match(await reasons(service), [/^not_applied /])
    await service.retry()
    t.strictSame(accountsIn(service), hasRoles(['Agents', 'Analyst']))
    t.strictSame(await reasons(service), [])
  })
})

/** A write is lost on its way, `revert` takes its reason back and is seen to, and then the write arrives. */
async function lateWrite(
  t: Test,
  { service }: Awaited<ReturnType<typeof ann>>,
  method: WriteMethod,
  change: () => Promise<unknown>,
  revert: () => Promise<unknown>,
): Promise<void> {
  const before = accountsIn(service)
  const held = service.proxy.hold(method)
  await change()
  await service.settle()
  await held.reached
  t.match(await reasons(service), [/^network /], 'nobody knows what became of the write')
  await revert()
  const { writes } = await callsDuring(service, () => service.retry())
  t.strictSame(writes, ['PUT'], 'one write gives the account a version that the late one does not name')
  t.strictSame(accountsIn(service), before)
  t.strictSame(await reasons(service), [], 'settled')
  t.equal(await held.release(), 412, 'the late write is refused')
  t.strictSame(accountsIn(service), before, 'and changes nothing')
  t.strictSame(await callsDuring(service, () => service.resync()), { writes: [], reads: 1 })
  t.strictSame(accountsIn(service), before)
}

t.test('a write that was never answered and arrives late changes nothing in the end', async (t) => {
  t.test('a role added, after the group was left again', async (t) => {
    const at = await ann(t, 'Agents')
    await lateWrite(
      t,
      at,
      'PUT',
      () => at.actor.add('Analyst', 'ann'),
      () => at.actor.remove('Analyst', 'ann'),
    )
    await at.actor.remove('Agents', 'ann')
    await at.service.settle()
    t.strictSame(accountsIn(at.service), {}, 'no role has become a foreign one')
  })

  t.test('a role removed, after the group was joined again', async (t) => {
    const at = await ann(t, 'Agents', 'Analyst')
    await lateWrite(
      t,
      at,
      'PUT',
      () => at.actor.remove('Analyst', 'ann'),
      () => at.actor.add('Analyst', 'ann'),
    )
  })

  t.test('a deletion, after the member was added again', async (t) => {
    const at = await ann(t, 'Agents')
    await lateWrite(
      t,
      at,
      'DELETE',
      () => at.actor.remove('Agents', 'ann'),
      () => at.actor.add('Agents', 'ann'),
    )
  })

  t.test('a creation, after the user was deleted', async (t) => {
    const service = await startProxiedService(t)
    const actor = entra(t, service)
    const held = service.proxy.hold('POST')
    await actor.createUser('ann')
    await service.settle()
    await held.reached
    await actor.deleteUser('ann')
    await service.retry()
    t.match(await reasons(service), [/^create_unsettled /], 'it is not forgotten')
    t.equal(await held.release(), 201)
    t.strictSame(accountsIn(service), hasRoles([PLACEHOLDER]))
    await service.retry()
    t.strictSame(accountsIn(service), {})
    t.strictSame(await reasons(service), [])
  })
})

t.test('a write that was refused is not pending, and costs no further one', async (t) => {
  const { service, actor } = await ann(t, 'Agents')
  service.sandbox.state.faults.set({ kind: 'error', status: 403, method: 'PUT' })
  await actor.add('Analyst', 'ann')
  await service.settle()
  t.match(await reasons(service), [/^forbidden /])
  service.sandbox.state.faults.clear()
  await actor.remove('Analyst', 'ann')
  t.strictSame(await callsDuring(service, () => service.retry()), { writes: [], reads: 1 })
  t.strictSame(accountsIn(service), hasRoles(['Agents']))
})

t.test('with nothing pending, an account that is right is not written', async (t) => {
  const { service, actor } = await ann(t, 'Agents')
  t.strictSame(await callsDuring(service, () => service.resync()), { writes: [], reads: 1 })
  const change = async () => {
    await actor.add('Analyst', 'ann')
    await actor.remove('Analyst', 'ann')
  }
  t.strictSame(await callsDuring(service, change), { writes: [], reads: 1 })
  t.strictSame(accountsIn(service), hasRoles(['Agents']))
})
