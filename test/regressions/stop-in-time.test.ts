import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { createSandbox } from '../../src/sandbox/server.ts'
import { startCommand } from '../support/command.ts'
import { openDatabase } from '../support/database.ts'
import { scimClient, userBody } from '../support/scim-client.ts'
import { SCIM_TOKEN } from '../support/service.ts'
import { until } from '../support/until.ts'

// A process that has not stopped 9.5 seconds after SIGTERM ends itself with status 1, so that status 0 means "in time".

async function startProcess(t: Test, env: Record<string, string>) {
  const database = await openDatabase(t)
  const sandbox = createSandbox({ now: systemClock.now })
  t.teardown(() => sandbox.close())
  const service = startCommand(t, ['serve'], {
    PORT: '0',
    DATABASE_URL: database.url,
    CAMPAIGN_MANAGER_URL: await sandbox.listen({ host: '127.0.0.1', port: 0 }),
    SCIM_TOKEN,
    ...env,
  })
  const [, url = ''] = await service.printed(/(http:\/\/\S+)\/scim\/v2/)
  return { ...service, database, url }
}

t.test('a client that never finishes its request does not keep the process', async (t) => {
  const { child, ended, url } = await startProcess(t, {})
  const { hostname, port } = new URL(url)
  const client = connect(Number(port), hostname)
  t.teardown(() => client.destroy())
  // The server breaks the connection off, as it must; how that looks from here is open.
  client.on('error', () => {})
  const request = [
    'POST /scim/v2/Users HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${SCIM_TOKEN}`,
    'Content-Type: application/scim+json',
    'Content-Length: 1000',
    'Expect: 100-continue',
    '\r\n',
  ]
  client.write(request.join('\r\n'))
  const [answer] = await once(client, 'data')
  t.match(String(answer), /^HTTP\/1\.1 100 Continue/, 'the request is being handled')
  client.write('{"schemas":')
  child.kill('SIGTERM')
  const { status, signal, stdout } = await ended
  t.strictSame({ status, signal }, { status: 0, signal: null })
  t.match(stdout, /"msg":"stopped"/)
})

t.test(
  'calls that wait for their turn do not keep the process, and their users are given back',
  async (t) => {
    const { child, ended, url, database } = await startProcess(t, { CAMPAIGN_MANAGER_RATE: '0.05' })
    const scim = scimClient(url, SCIM_TOKEN)
    for (let index = 0; index < 20; index += 1) {
      t.equal((await scim('POST', '/Users', userBody(`user-${index}`))).status, 201)
    }
    const leased = async () =>
      (await database.pool.query('select count(lease)::integer as count from dirty_user')).rows[0].count
    await until('several users are claimed', async () => (await leased()) >= 2, leased)
    child.kill('SIGTERM')
    const { status, signal, stdout } = await ended
    t.strictSame({ status, signal }, { status: 0, signal: null })
    t.match(stdout, /"msg":"stopped"/)
    const { rows } = await database.pool.query('select lease, leased_until from dirty_user')
    t.not(rows.length, 0, 'there was work left')
    t.same(
      rows.filter(({ lease, leased_until: until }) => lease !== null || until !== null),
      [],
      'no claim is left behind',
    )
  },
)
