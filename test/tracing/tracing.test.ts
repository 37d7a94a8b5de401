import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import { startCommand } from '../support/command.ts'
import { createDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import { addMembers, groupBody, patchBody, scimClient, userBody } from '../support/scim-client.ts'
import { CAMPAIGN_MANAGER_TOKEN, SCIM_TOKEN, startTestService } from '../support/service.ts'
import { processEnv, startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'
import { type Collector, type ExportedSpan, startCollector } from './collector.ts'

const ROLES = ['Placeholder', 'Campaign Editor']
const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const TRACEPARENT = `00-${PARENT.traceId}-${PARENT.spanId}-01`

/** Makes a process say on stderr which modules of OpenTelemetry it loads. */
const TELL_MODULES = [
  '--import',
  `data:text/javascript,${encodeURIComponent(`import { registerHooks } from 'node:module'
    registerHooks({ resolve(specifier, context, next) {
      const found = next(specifier, context)
      if (found.url.includes('opentelemetry')) process.stderr.write('loaded ' + found.url + '\\n')
      return found
    } })`)}`,
]

/** The traceparent headers that this process's Campaign Manager gets. */
function watchTraceparents(t: Test): string[] {
  const seen: string[] = []
  const watch = (message: unknown) => {
    const { request } = message as { request: IncomingMessage }
    const { traceparent } = request.headers
    if (request.url?.startsWith('/api/v1/') && traceparent !== undefined) seen.push(String(traceparent))
  }
  subscribe('http.server.request.start', watch)
  t.teardown(() => unsubscribe('http.server.request.start', watch))
  return seen
}

const named = ({ spans }: Collector, name: string): ExportedSpan[] =>
  spans.filter((span) => span.name === name)

t.test('a PATCH and its reconciliation by another process are traced, and nobody is named', async (t) => {
  const collector = await startCollector(t)
  const traceparents = watchTraceparents(t)
  const [{ url: databaseUrl }, sandbox] = await Promise.all([createDatabase(t), startSandbox(t, ROLES)])
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
  }
  const options = { databaseUrl, campaignManagerUrl: sandbox.url, nodeArgs: TELL_MODULES }
  const service = await startServiceProcess(t, { ...options, env: { ...env, RECONCILE: 'off' } })
  const user = await service.scim('POST', '/Users', userBody('canary'))
  const group = await service.scim('POST', '/Groups', groupBody('Campaign Editor'))
  const patch = await service.scim('PATCH', `/Groups/${group.body.id}`, addMembers(user.body.id), {
    traceparent: TRACEPARENT,
  })
  t.equal(patch.status, 204)
  await service.scim('GET', `/Users?filter=${encodeURIComponent('userName eq "canary@example.com"')}`)
  await service.scim('GET', '/Users/canary@example.com')
  await service.scim('POST', '/Users', userBody('canary'))
  await scimClient(service.url, 'canary-token-that-nobody-made-0123456789')('GET', '/Users')
  // Or whoever Entra changes often, while Campaign Manager is away, would have it kept without end.
  const often = await service.scim('POST', '/Users', userBody('often'))
  for (let change = 0; change < 10; change += 1) {
    const rename = patchBody({ op: 'Replace', path: 'displayName', value: `canary ${change}` })
    await service.scim('PATCH', `/Users/${often.body.id}`, rename)
  }
  const reconciler = startCommand(t, ['serve'], { ...processEnv(options), ...env, HTTP: 'off' })
  await until(
    'both have their accounts',
    () =>
      sandbox.state.users().some(({ roles }) => roles.includes('Campaign Editor')) &&
      sandbox.state.users().length === 2,
  )
  for (const { child } of [service, reconciler]) child.kill('SIGTERM')
  const [{ status, stderr }, reconciled] = await Promise.all([service.ended, reconciler.ended])
  t.same([status, reconciled.status], [0, 0])
  t.match(stderr, /loaded .*@opentelemetry\/sdk-trace/)

  const [request, ...more] = named(collector, 'PATCH /scim/v2/Groups/:id')
  if (!request) throw new Error('the PATCH has no span')
  t.same(more, [])
  t.match(request, { traceId: PARENT.traceId, parentSpanId: PARENT.spanId, failed: false })
  t.match(request.attributes, {
    'http.request.method': 'PATCH',
    'http.route': '/scim/v2/Groups/:id',
    'http.response.status_code': 204,
    'campaign_manager_scim.request_id': patch.headers.get('x-request-id'),
  })
  const queries = collector.spans.filter(({ parentSpanId }) => parentSpanId === request.spanId)
  t.ok(
    queries.some(({ name }) => name === 'INSERT group_member'),
    'its queries belong to it',
  )
  t.ok(queries.every(({ traceId }) => traceId === PARENT.traceId))

  const attempt = named(collector, 'reconcile').find(({ links }) =>
    links.some(({ spanId }) => spanId === request.spanId),
  )
  if (!attempt) throw new Error('no reconciliation has a link to the PATCH')
  const [creation] = named(collector, 'POST /scim/v2/Users').filter(({ failed }) => !failed)
  t.strictSame(
    attempt.links.map(({ traceId }) => traceId),
    [PARENT.traceId, creation?.traceId],
    'and it has one to each request that it answers, the last one first',
  )
  const links = named(collector, 'reconcile').map((each) => each.links.length)
  t.same(links.sort(), [2, 8], 'eight requests of one user are remembered')
  t.not(attempt.traceId, PARENT.traceId, 'it is a trace of its own')
  t.match(attempt.attributes, { 'campaign_manager_scim.outcome': 'created' })
  const calls = collector.spans.filter(({ attributes }) => 'server.address' in attributes)
  t.ok(
    calls.some(({ name, traceId, parentSpanId }) => {
      return name === 'POST' && traceId === attempt.traceId && parentSpanId === attempt.spanId
    }),
    'the write is part of the reconciliation',
  )
  for (const { traceId, spanId } of calls) {
    t.ok(traceparents.includes(`00-${traceId}-${spanId}-01`), 'Campaign Manager was told of the call')
  }
  t.match(collector.resource, { 'service.name': 'campaign-manager-scim', 'deployment.environment': 'test' })
  t.ok(named(collector, 'GET /scim/v2/Users').length >= 2, 'the requests with personal data are there')

  const bytes = collector.bytes().toString('latin1')
  for (const secret of ['canary', 'example.com', SCIM_TOKEN, CAMPAIGN_MANAGER_TOKEN, 'Bearer', 'userName']) {
    t.notMatch(bytes, secret, `nothing exported holds "${secret}"`)
  }
  for (const id of [user.body.id, group.body.id]) t.notMatch(bytes, id, 'no id of a resource either')
})

t.test('off, nothing of OpenTelemetry is loaded but the interface, by prom-client', async (t) => {
  const [{ url: databaseUrl }, sandbox] = await Promise.all([createDatabase(t), startSandbox(t, ROLES)])
  const options = { databaseUrl, campaignManagerUrl: sandbox.url, nodeArgs: TELL_MODULES }
  const service = await startServiceProcess(t, options)
  t.equal((await service.scim('POST', '/Users', userBody('ann'))).status, 201)
  service.child.kill('SIGTERM')
  const { status, stderr } = await service.ended
  t.equal(status, 0)
  t.match(stderr, /scim\/v2/, 'it says what it does')
  t.notMatch(stderr, /@opentelemetry\/(?!api\/)/)
})

t.test('the settings of OpenTelemetry', async (t) => {
  const exported = async (t: Test, env: Record<string, string>): Promise<Collector> => {
    const collector = await startCollector(t)
    const service = await startTestService(t, {
      roles: ROLES,
      env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`, ...env },
    })
    await service.scim('GET', '/Users')
    await fetch(`${service.url}/healthz`)
    await service.running.stop()
    return collector
  }
  t.test('a name of its own, and headers from a file', async (t) => {
    const folder = t.testdir({ headers: 'x-api-key=secret-of-the-collector,x-other=1\n' })
    const { headers, resource, spans } = await exported(t, {
      OTEL_SERVICE_NAME: 'scim-of-the-campaign',
      OTEL_EXPORTER_OTLP_HEADERS_FILE: join(folder, 'headers'),
    })
    t.match(headers, [{ 'x-api-key': 'secret-of-the-collector', 'x-other': '1' }])
    t.match(resource, { 'service.name': 'scim-of-the-campaign' })
    t.ok(spans.length > 0)
    t.notOk(
      spans.some(({ name }) => name.includes('/healthz')),
      'probes are not traced',
    )
  })
  t.test('nothing is sampled', async (t) => {
    const { spans } = await exported(t, { OTEL_TRACES_SAMPLER: 'always_off' })
    t.same(spans, [])
  })
  t.test('switched off', async (t) => {
    const { headers } = await exported(t, { OTEL_SDK_DISABLED: 'true' })
    t.same(headers, [])
  })
  t.test('what is not known is refused', async (t) => {
    const load = (env: Record<string, string>) => () => loadConfig(env, () => '')
    t.throws(load({ OTEL_TRACES_SAMPLER: 'sometimes' }), { message: /^OTEL_TRACES_SAMPLER: must be / })
    t.throws(load({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), {
      message: 'OTEL_EXPORTER_OTLP_PROTOCOL: must be "http/protobuf", not "grpc"',
    })
    t.throws(load({ OTEL_TRACES_SAMPLER_ARG: '2' }), {
      message: /^OTEL_TRACES_SAMPLER_ARG: must be a number between/,
    })
    t.throws(load({ OTEL_EXPORTER_OTLP_HEADERS: 'secret' }), {
      message: 'OTEL_EXPORTER_OTLP_HEADERS: must be a comma-separated list of name=value',
    })
  })
})

t.test('a collector that is away is no reason to fail', async (t) => {
  const service = await startTestService(t, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' } })
  t.equal((await service.scim('POST', '/Users', userBody('ann'))).status, 201)
  await t.resolves(service.running.stop())
})
