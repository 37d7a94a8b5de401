import t from 'tap'
import { addMembers, groupBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'

async function member({ scim }: TestService): Promise<{ ann: string; group: string }> {
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  return { ann, group }
}

t.test(
  'an account whose creation was never answered is not forgotten when its deletion is refused',
  async (t) => {
    const service = await startTestService(t)
    const { scim, settle, retry, accounts, sandbox } = service
    const { ann, group } = await member(service)
    sandbox.state.faults.set({ kind: 'truncated', method: 'POST', times: 1 })
    await settle()
    t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
    await scim('PATCH', `/Groups/${group}`, removeMembers(ann))
    sandbox.state.faults.set({ kind: 'error', status: 403, method: 'DELETE', times: 1 })
    await retry()
    t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
    await retry()
    t.strictSame(accounts(), {})
  },
)

t.test('an account is not gone because its deletion was answered with "not found"', async (t) => {
  const service = await startTestService(t)
  const { scim, settle, retry, accounts, sandbox } = service
  const { ann, group } = await member(service)
  await settle()
  await scim('PATCH', `/Groups/${group}`, removeMembers(ann))
  sandbox.state.faults.set({ kind: 'not_found', method: 'DELETE', times: 1 })
  await settle()
  await retry()
  t.strictSame(accounts(), {})
})

t.test('nor because, after a deletion that was never answered, it is not to be seen once', async (t) => {
  const service = await startTestService(t)
  const { scim, settle, retry, accounts, sandbox } = service
  const { ann, group } = await member(service)
  await settle()
  await scim('PATCH', `/Groups/${group}`, removeMembers(ann))
  sandbox.state.faults.set({ kind: 'reset', method: 'DELETE', times: 1 })
  await settle()
  sandbox.state.faults.set({ kind: 'stale', method: 'GET', durationMs: 600_000 })
  await retry()
  sandbox.state.faults.clear()
  await retry()
  t.strictSame(accounts(), {})
})
