import t from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { loadFixtures, replay } from '../scim/exchange.ts'
import { scimClient } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

t.test('exchanges with Entra, over HTTP', async (t) => {
  const { url, database } = await startTestService(t)
  for (const fixture of loadFixtures()) {
    // A tenant of its own keeps each fixture's directory apart.
    await createTenant(database.db, fixture.name)
    const issued = await issueToken(database.db, fixture.name, 'fixture', undefined)
    const scim = scimClient(url, issued?.token ?? '')
    await t.test(`${fixture.name} (${fixture.source})`, (t) =>
      replay(t, fixture, ({ method, path, body, headers }) => scim(method, path, body, headers)),
    )
  }
})
