import t, { type Test } from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { account, accountsIn, emailOf, entra, PLACEHOLDER, reasons } from '../e2e/setup.ts'
import { scimClient } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

// Two directories that provision into one Campaign Manager know somebody by the same address and the same externalId.

async function twoTenants(t: Test) {
  const service = await startTestService(t)
  const { db } = service.database
  t.ok(await createTenant(db, 'other'))
  const issued = await issueToken(db, 'other', 'test', undefined)
  const scim = scimClient(service.url, issued?.token ?? '')
  const here = entra(t, service)
  const there = entra(t, { ...service, scim })
  await here.createGroup('Agents')
  await there.createGroup('Analyst')
  return { service, here, there }
}

const annHas = (roles: string[]) => ({ [emailOf('ann')]: account('ann', roles) })

/** Ann is served for the one tenant, and waits in the other. */
async function annInBoth(t: Test) {
  const at = await twoTenants(t)
  const { service, here, there } = at
  await here.createUser('ann')
  await here.add('Agents', 'ann')
  await service.settle()
  await there.createUser('ann')
  await there.add('Analyst', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), annHas(['Agents']), 'one account, for the user who came first')
  t.match(await reasons(service), [/^account_linked_elsewhere /])
  return at
}

t.test('the account serves one of two users, and the other waits', async (t) => {
  const { service, here } = await annInBoth(t)
  await service.retry()
  await service.resync()
  t.strictSame(accountsIn(service), annHas(['Agents']), 'however often they are looked at')
  t.match(await reasons(service), [/^account_linked_elsewhere /])
  await here.active('ann', false)
  await here.remove('Agents', 'ann')
  await service.settle()
  await service.retry()
  t.strictSame(accountsIn(service), annHas(['Analyst']), 'once it is given up, the other one gets an account')
  t.strictSame(await reasons(service), [])
})

t.test('deleting the user who waits leaves the account alone', async (t) => {
  const { service, there } = await annInBoth(t)
  const [before] = service.sandbox.state.users()
  await there.remove('Analyst', 'ann')
  await service.settle()
  t.strictSame(accountsIn(service), annHas(['Agents']), 'leaving the group does not either')
  await there.deleteUser('ann')
  await service.settle()
  await service.retry()
  t.strictSame(accountsIn(service), annHas(['Agents']))
  t.strictSame(await reasons(service), [])
  await service.resync()
  t.equal(service.sandbox.state.users()[0]?.id, before?.id, 'it is the same account still')
})

t.test('deleting the user who has the account leaves the other one’s alone', async (t) => {
  const { service, here } = await annInBoth(t)
  await here.deleteUser('ann')
  await service.settle()
  await service.retry()
  t.strictSame(accountsIn(service), annHas(['Analyst']))
  await service.resync()
  t.strictSame(accountsIn(service), annHas(['Analyst']))
  t.strictSame(await reasons(service), [])
})

t.test('two users who come at once do not share an account', async (t) => {
  const { service, here, there } = await twoTenants(t)
  await Promise.all([here.createUser('ann'), there.createUser('ann')])
  await service.settle()
  t.strictSame(accountsIn(service), annHas([PLACEHOLDER]))
  t.equal((await reasons(service)).length, 1, 'one of the two waits')
  await service.retry()
  t.match(await reasons(service), [/^account_linked_elsewhere /])
  // Which of the two it is, is open.
  await here.add('Agents', 'ann')
  await there.add('Analyst', 'ann')
  await service.retry()
  const roles = accountsIn(service)[emailOf('ann')]?.roles
  t.equal(roles?.length, 1, `roles of one tenant only: ${roles}`)
  t.match(await reasons(service), [/^account_linked_elsewhere /])
})
