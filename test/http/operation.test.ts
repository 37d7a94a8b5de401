import t from 'tap'
import { userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

t.test('probes', async (t) => {
  const { url, running } = await startTestService(t)
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  t.match(await (await fetch(`${url}/readyz`)).json(), { status: 'ready' })
  t.equal((await fetch(`${url}/nothing`)).status, 404)
  await running.stop()
  await t.rejects(fetch(`${url}/healthz`), 'it is gone')
})

t.test('not ready while a migration is pending', async (t) => {
  const { url, database } = await startTestService(t)
  const rename = (from: string, to: string) =>
    database.pool.query('update kysely_migration set name = $2 where name = $1', [from, to])
  await rename('0003_reconcile', '0003_another')
  t.teardown(() => rename('0003_another', '0003_reconcile'))
  const ready = await fetch(`${url}/readyz`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { reason: 'migrations are pending: 0003_reconcile' })
})

t.test('metrics carry the names that dashboards rely on', async (t) => {
  const service = await startTestService(t)
  await service.scim('POST', '/Users', userBody('ann'))
  await service.scim('GET', '/Users/not-there')
  await service.settle()
  await service.scim('POST', '/Users', userBody('bob'))
  const text = await (await fetch(`${service.url}/metrics`)).text()
  const names = `http_request_duration_seconds reconcile_total reconcile_duration_seconds reconcile_pending
    reconcile_oldest_pending_seconds reconcile_oldest_removal_seconds reconcile_failing last_scim_write_timestamp_seconds
    last_campaign_manager_write_timestamp_seconds campaign_manager_credentials_refused campaign_manager_request_duration_seconds
    campaign_manager_circuit_open role_changes_total accounts inactive_users_with_access drift_found_total
    auth_failures_total credential_expiry_seconds database_up`
  for (const name of names.split(/\s+/)) t.match(text, `# TYPE scim_bridge_${name} `, name)
  const lines = [
    'scim_bridge_database_up 1',
    'scim_bridge_reconcile_pending 1',
    'scim_bridge_auth_failures_total{reason="unknown"} 0',
    'scim_bridge_reconcile_total{outcome="created"} 1',
    'scim_bridge_role_changes_total{change="added"} 1',
    'scim_bridge_accounts{standing="awaiting"} 2',
    'scim_bridge_http_request_duration_seconds_count{method="GET",route="/scim/v2/Users/:id",status="404"} 1',
    'scim_bridge_campaign_manager_request_duration_seconds_count{operation="create_account",outcome="ok"} 1',
  ]
  for (const line of lines) t.ok(text.split('\n').includes(line), line)
  t.match(text, 'process_cpu_seconds_total', "Node's own are there too")
})

t.test('METRICS_PORT moves the metrics there, and only there', async (t) => {
  const { url, running } = await startTestService(t, { env: { METRICS_PORT: '0' } })
  t.equal((await fetch(`${url}/metrics`)).status, 404)
  t.match(await (await fetch(`${running.urls.metrics}/metrics`)).text(), 'scim_bridge_reconcile_pending')
  // A process with HTTP=off has no other port to be asked on.
  t.same(await (await fetch(`${running.urls.metrics}/healthz`)).json(), { status: 'ok' })
  t.same(await (await fetch(`${running.urls.metrics}/readyz`)).json(), { status: 'ready' })
})

t.test('a request id goes through the answer and every error text', async (t) => {
  const { scim } = await startTestService(t)
  const given = await scim('GET', '/Users/none', undefined, { 'x-request-id': 'gateway-42' })
  t.equal(given.headers.get('x-request-id'), 'gateway-42')
  t.match(given.body.detail, /\[request gateway-42\]$/)
  const made = await scim('GET', '/Users/none', undefined, { 'x-request-id': 'forged "line"' })
  t.match(made.headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
})

t.test('locations follow PUBLIC_URL, or the request', async (t) => {
  const plain = await startTestService(t)
  const ann = await plain.scim('POST', '/Users', userBody('ann'))
  t.equal(ann.body.meta.location, `${plain.url}/scim/v2/Users/${ann.body.id}`)
  t.equal(ann.headers.get('location'), ann.body.meta.location)
  const spoofed = await plain.scim('GET', `/Users/${ann.body.id}`, undefined, {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
  })
  t.equal(spoofed.body.meta.location, ann.body.meta.location, 'nobody is believed unless trusted')

  const env = { PUBLIC_URL: 'https://gateway.example/prod/' }
  const behind = await startTestService(t, { env, beside: plain })
  const seen = await behind.scim('GET', `/Users/${ann.body.id}`)
  t.equal(seen.body.meta.location, `https://gateway.example/prod/scim/v2/Users/${ann.body.id}`)

  const trusting = await startTestService(t, { env: { TRUST_PROXY: '127.0.0.1' }, beside: plain })
  const proxied = await trusting.scim('GET', `/Users/${ann.body.id}`, undefined, {
    'x-forwarded-host': 'gateway.example',
    'x-forwarded-proto': 'https',
  })
  t.equal(proxied.body.meta.location, `https://gateway.example/scim/v2/Users/${ann.body.id}`)
})

t.test('a process with RECONCILE=off or HTTP=off does only the other half', async (t) => {
  const front = await startTestService(t)
  const back = await startTestService(t, { env: { HTTP: 'off', RECONCILE: 'on' }, beside: front })
  t.equal(back.running.urls.http, undefined)
  await front.scim('POST', '/Users', userBody('ann'))
  while (Object.keys(front.accounts()).length === 0) await new Promise((resolve) => setImmediate(resolve))
  t.same(front.accounts(), { 'ann@example.com': ['Placeholder'] })
})
