// What a request of Entra costs while Campaign Manager does not answer, as a multiple of what it costs otherwise.
import t from 'tap'
import { groupBody, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { compare } from './compare.ts'

t.setTimeout(600_000)

t.test('Entra does not notice that Campaign Manager is away', async (t) => {
  const near = await startTestService(t, { env: { RECONCILE: 'on' } })
  const away = await startTestService(t, {
    env: { RECONCILE: 'on', CAMPAIGN_MANAGER_URL: 'http://127.0.0.1:9' },
  })
  let created = 0
  const createIn =
    ({ scim }: TestService) =>
    async () => {
      const { status } = await scim('POST', '/Users', userBody(`person-${created++}`))
      if (status !== 201) throw new Error(`POST: ${status}`)
    }
  await near.scim('POST', '/Groups', groupBody('Campaign Editor'))
  await compare(t, 'create a user, and while Campaign Manager is away', {
    base: createIn(near),
    other: createIn(away),
    rounds: 200,
    atMost: 2,
  })
})
