import t from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { defaultRoles } from '../../src/sandbox/server.ts'
import { loadFixtures, replay } from '../scim/exchange.ts'
import { scimClient } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

const folders = ['entra', 'okta', 'other-clients', 'rfc-exchanges']
/** The groups that the examples of the RFCs and of Okta name. */
const groups = ['Tour Guides', 'Group A', 'Group B', 'Smith Family', 'Test SCIMv2', 'Test SCIMv20']

t.test('exchanges with clients, over HTTP', async (t) => {
  const { url, database } = await startTestService(t, { roles: [...defaultRoles, ...groups] })
  for (const folder of folders) {
    for (const fixture of loadFixtures(folder)) {
      // A tenant of its own keeps each fixture's directory apart.
      const tenant = `${folder}-${fixture.name}`.replaceAll('.', '-')
      await createTenant(database.db, tenant)
      const issued = await issueToken(database.db, tenant, 'fixture', undefined)
      const scim = scimClient(url, issued?.token ?? '')
      await t.test(`${folder}/${fixture.name} (${fixture.source})`, (t) =>
        replay(t, fixture, ({ method, path, body, headers }) => scim(method, path, body, headers)),
      )
    }
  }
})
