import { sql } from 'kysely'
import t from 'tap'
import { emailOf, entra, PLACEHOLDER, reasons } from '../e2e/setup.ts'
import { userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

t.test(
  'who is given a colleague’s former address is not kept waiting once the colleague has given it up',
  async (t) => {
    const service = await startTestService(t)
    const { db } = service.database
    const actor = entra(t, service)
    await actor.createGroup('Agents')
    await actor.createUser('ann')
    await actor.add('Agents', 'ann')
    await service.settle()

    service.sandbox.state.faults.set({ kind: 'error', status: 503, method: 'PUT', times: 1 })
    await actor.changeUser('ann', 'emails[type eq "work"].value', emailOf('anna'))
    await actor.changeUser('ann', 'userName', emailOf('anna'))
    const bob = userBody('bob', {
      userName: emailOf('ann'),
      emails: [{ type: 'work', primary: true, value: emailOf('ann') }],
    })
    t.equal((await service.scim('POST', '/Users', bob)).status, 201)
    // In either order: the address is free only when Campaign Manager has been told.
    await service.settle()
    const { rows } = await sql<{ seconds: number }>`
    select extract(epoch from not_before - now())::float as seconds from dirty_user
    where failure = 'account_linked_elsewhere'`.execute(db)
    t.equal(rows.length, 1)
    t.ok((rows[0]?.seconds ?? 0) < 60, 'and is looked at again within a minute')

    await service.retry()
    await service.retry()
    t.same(await reasons(service), [])
    t.same(service.accounts(), { [emailOf('anna')]: ['Agents'], [emailOf('ann')]: [PLACEHOLDER] })
  },
)
