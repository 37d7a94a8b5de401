// A creation that failed may have been carried out all the same. Whoever needs no account any more by then must not be
// forgotten before that is known.
import t, { type Test } from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import { addMembers, groupBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

/** A user whose account is to be created while Campaign Manager fails, and who then loses the group. */
async function createAndLeave(t: Test, rounds: readonly FaultRule[][]): Promise<Record<string, string[]>> {
  const { scim, settle, retry, resync, accounts, sandbox, database } = await startTestService(t)
  const group: string = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const id: string = (await scim('POST', '/Users', userBody('ann'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(id))
  for (const rules of rounds) {
    sandbox.state.faults.set(...rules)
    await retry()
  }
  sandbox.state.faults.clear()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor'] }, 'the account was created')

  await scim('PATCH', `/Groups/${group}`, removeMembers(id))
  for (let round = 0; round < 3; round += 1) {
    await settle()
    // What may still take effect is waited for, ten minutes long.
    await database.pool.query(
      `update account set write_pending_since = write_pending_since - interval '10 minutes'`,
    )
    await retry()
  }
  await resync()
  return accounts()
}

t.test('a repeated creation whose account cannot be read', async (t) => {
  const left = await createAndLeave(t, [
    [{ kind: 'reset', method: 'POST' }],
    [{ kind: 'error', status: 503, method: 'GET', route: 'user' }],
  ])
  t.same(left, {}, 'nobody keeps an account without a group')
})

t.test('a creation that is answered 500 and was carried out', async (t) => {
  const left = await createAndLeave(t, [[{ kind: 'partial', method: 'POST' }]])
  t.same(left, {}, 'nobody keeps an account without a group')
})
