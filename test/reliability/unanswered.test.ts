// Writes that Campaign Manager carried out and whose answer never came, met by what happens before the next attempt.
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { addMembers, groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'

interface Setting extends TestService {
  readonly groupId: string
  create(body: object): Promise<string>
  join(userId: string): Promise<void>
  /** Tries again until nothing is left to do; fails when something is. */
  finish(): Promise<void>
}

async function setting(t: Test): Promise<Setting> {
  const service = await startTestService(t)
  const { scim, database } = service
  const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  return {
    ...service,
    groupId,
    async create(body) {
      const answer = await scim('POST', '/Users', body)
      t.equal(answer.status, 201)
      return answer.body.id
    },
    async join(userId) {
      t.equal((await scim('PATCH', `/Groups/${groupId}`, addMembers(userId))).status, 204)
    },
    async finish() {
      for (let round = 0; round < 5; round += 1) await service.retry()
      const { rows } = await sql`select failure, failure_detail from dirty_user`.execute(database.db)
      t.same(rows, [], 'nothing is left to do')
    },
  }
}

t.test('a creation whose answer is lost is not done twice', async (t) => {
  const { sandbox, create, join, settle, finish, accounts } = await setting(t)
  sandbox.state.faults.set({ kind: 'cut_off', method: 'POST', times: 1 })
  const ann = await create(userBody('ann'))
  await settle()
  t.same(accounts(), { 'ann@example.com': ['Placeholder'] })
  await join(ann)
  await finish()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor'] })
})

// The Idempotency-Key brings the first answer again, which is about an account that is no more.
t.test('an account that was removed by hand after its unanswered creation is created again', async (t) => {
  const { sandbox, create, join, settle, finish, accounts } = await setting(t)
  sandbox.state.faults.set({ kind: 'cut_off', method: 'POST', times: 1 })
  await join(await create(userBody('ann')))
  await settle()
  for (const { id } of sandbox.state.users()) sandbox.state.removeUser(id)
  await finish()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor'] })
})

t.test('a role that was given, unanswered, and is not wanted any more is taken back', async (t) => {
  const { scim, sandbox, create, join, settle, finish, accounts, groupId } = await setting(t)
  const viewer = (await scim('POST', '/Groups', groupBody('Campaign Viewer'))).body.id
  const ann = await create(userBody('ann'))
  await join(ann)
  await settle()
  sandbox.state.faults.set({ kind: 'cut_off', method: 'PUT', times: 1 })
  await scim('PATCH', `/Groups/${viewer}`, addMembers(ann))
  await settle()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor', 'Campaign Viewer'] })
  await scim('DELETE', `/Groups/${viewer}`)
  await finish()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor'] })
  await scim('DELETE', `/Groups/${groupId}`)
  await finish()
  t.same(accounts(), {})
})

/** The user is gone, and so is the account; but its answer was lost, so the account is still to be looked for. */
async function deleteUnanswered({ scim, sandbox, settle }: Setting, userId: string): Promise<void> {
  sandbox.state.faults.set({ kind: 'cut_off', method: 'DELETE', times: 1 })
  await scim('DELETE', `/Users/${userId}`)
  await settle()
}

t.test('whoever is created again keeps the new account when the old one is gone already', async (t) => {
  const at = await setting(t)
  const { create, join, settle, finish, accounts } = at
  const before = await create(userBody('ann'))
  await settle()
  await deleteUnanswered(at, before)
  t.same(accounts(), {})
  await join(await create(userBody('ann')))
  // In whatever order the two are looked at.
  await settle()
  await finish()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor'] })
})

t.test('whoever is created again and comes to the old address keeps the account', async (t) => {
  const at = await setting(t)
  const { scim, create, join, settle, finish, accounts } = at
  const before = await create(userBody('ann'))
  await settle()
  await deleteUnanswered(at, before)
  const emails = [{ primary: true, type: 'work', value: 'ann.new@example.com' }]
  const again = await create(userBody('ann', { emails }))
  await join(again)
  await settle()
  t.same(accounts(), { 'ann.new@example.com': ['Campaign Editor'] })
  const path = 'emails[type eq "work"].value'
  await scim('PATCH', `/Users/${again}`, patchBody({ op: 'Replace', path, value: 'ann@example.com' }))
  await settle()
  await finish()
  t.same(accounts(), { 'ann@example.com': ['Campaign Editor'] })
})
