import t from 'tap'
import { loadFixtures, replay } from './exchange.ts'
import { pureDirectory } from './pure-directory.ts'

for (const fixture of loadFixtures('entra')) {
  t.test(`Entra: ${fixture.name} (${fixture.source})`, async (t) => {
    const send = pureDirectory()
    await replay(t, fixture, async (request) => send(request))
  })
}
