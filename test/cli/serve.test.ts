import t from 'tap'
import { callCommand, startCommand } from '../support/command.ts'
import { createDatabase, openDatabase } from '../support/database.ts'
import { addMembers, groupBody, scimClient, userBody } from '../support/scim-client.ts'

const scimUrl = /(http:\/\/\S+)\/scim\/v2/

t.test('a first start makes a token, prints it once, and everything works', async (t) => {
  const { url } = await createDatabase(t)
  const env = { DATABASE_URL: url, PORT: '0' }
  const service = startCommand(t, ['serve'], env)
  const [, address = ''] = await service.printed(scimUrl)
  const [, token = ''] = await service.printed(/Secret Token.*: (scim_\S+)/)
  const [, sandbox = ''] = await service.printed(/sandbox.*: (http:\S+)/)
  const scim = scimClient(address, token)
  const ann = await scim('POST', '/Users', userBody('ann'))
  const group = await scim('POST', '/Groups', groupBody('Campaign Editor'))
  t.equal((await scim('PATCH', `/Groups/${group.body.id}`, addMembers(ann.body.id))).status, 204)
  await metricReaches(address, 'scim_bridge_reconcile_pending 0')
  const users = await (await fetch(new URL('/_sandbox/users', sandbox))).json()
  t.match(users, { users: [{ email: 'ann@example.com', roles: ['Campaign Editor'] }] })

  service.child.kill('SIGTERM')
  // As Ctrl-C does on "npm start": the terminal and npm signal both.
  await service.printed(/"msg":"stopping"/)
  service.child.kill('SIGINT')
  const { status, stdout } = await service.ended
  t.equal(status, 0)
  t.match(stdout, /no CAMPAIGN_MANAGER_URL: running on the bundled sandbox/)
  t.notMatch(stdout, /ann@example\.com/, 'no address is logged')
  t.notMatch(stdout, token, 'no token is logged')

  const again = startCommand(t, ['serve'], env)
  const [, restarted = ''] = await again.printed(scimUrl)
  t.equal((await scimClient(restarted, token)('GET', `/Users/${ann.body.id}`)).status, 200)
  again.child.kill('SIGTERM')
  t.notMatch((await again.ended).stderr, /Secret Token/, 'there is one already')
})

t.test('production does not start without a credential', async (t) => {
  const { url } = await createDatabase(t)
  const env = {
    DATABASE_URL: url,
    NODE_ENV: 'production',
    CAMPAIGN_MANAGER_URL: 'http://127.0.0.1:1',
    PORT: '0',
  }
  const { status, stderr } = await callCommand(['serve'], env)
  t.equal(status, 2)
  t.match(stderr, /^SCIM_TOKEN: must be set with NODE_ENV=production/)
})

t.test('a stop lets a reconciliation finish, and a second signal does not wait', async (t) => {
  const { url, pool } = await openDatabase(t)
  const sandbox = startCommand(t, ['sandbox', '--port', '0'])
  const [, api = ''] = await sandbox.printed(/sandbox: (http:\S+)/)
  const env = { DATABASE_URL: url, PORT: '0', CAMPAIGN_MANAGER_URL: api, SCIM_TOKEN: 'x'.repeat(40) }
  const fault = (rule: object) =>
    fetch(new URL('/_sandbox/faults', api), {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rule),
    })

  const slow = startCommand(t, ['serve'], env)
  const [, address = ''] = await slow.printed(scimUrl)
  t.equal((await fault({ kind: 'latency', latencyMs: 700, method: 'POST' })).status, 200)
  await scimClient(address, 'x'.repeat(40))('POST', '/Users', userBody('slow'))
  await requested(api, 'POST')
  slow.child.kill('SIGTERM')
  t.match(await slow.ended, { status: 0, stdout: /"outcome":"created"/ })

  const stuck = startCommand(t, ['serve'], env)
  const [, second = ''] = await stuck.printed(scimUrl)
  await fault({ kind: 'timeout', method: 'POST' })
  await scimClient(second, 'x'.repeat(40))('POST', '/Users', userBody('stuck'))
  await requested(api, 'POST', 2)
  stuck.child.kill('SIGTERM')
  t.match(await stuck.ended, { status: 0 }, 'what does not finish is given back')
  const { rows } = await pool.query('select lease from dirty_user')
  t.same(rows, [{ lease: null }])

  const third = startCommand(t, ['serve'], env)
  await third.printed(scimUrl)
  await requested(api, 'POST', 3)
  third.child.kill('SIGTERM')
  await third.printed(/"msg":"stopping"/)
  const impatient = setInterval(() => third.child.kill('SIGTERM'), 50)
  t.match(await third.ended, { status: 1 })
  clearInterval(impatient)
})

/** Asks until the metrics show it; the test's own time limit ends the asking. */
async function metricReaches(address: string, line: string): Promise<void> {
  while (!(await (await fetch(`${address}/metrics`)).text()).split('\n').includes(line));
}

async function requested(api: string, method: string, times = 1): Promise<void> {
  for (;;) {
    const { requests } = (await (await fetch(new URL('/_sandbox/requests', api))).json()) as {
      requests: { method: string }[]
    }
    if (requests.filter((request) => request.method === method).length >= times) return
  }
}
