import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { callCommand } from '../support/command.ts'

/** A service that gives each path this status. */
async function startServer(t: Test, statuses: Readonly<Record<string, number>>): Promise<string> {
  const server = createServer((request, response) =>
    response.writeHead(statuses[request.url ?? ''] ?? 404).end(),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return String((server.address() as AddressInfo).port)
}

t.test('asks the service that has the same settings', async (t) => {
  const PORT = await startServer(t, { '/healthz': 200, '/readyz': 503, '/metrics': 200 })
  t.same(await callCommand(['healthcheck'], { PORT }), { status: 0, stdout: '', stderr: '' })
  t.match(await callCommand(['healthcheck'], { PORT, HOST: '0.0.0.0' }), { status: 0 })
  t.match(await callCommand(['healthcheck', '--ready'], { PORT }), {
    status: 1,
    stderr: `http://127.0.0.1:${PORT}/readyz answers 503\n`,
  })
})

t.test('a process that only reconciles is asked on the port of its metrics, if it has one', async (t) => {
  const METRICS_PORT = await startServer(t, { '/healthz': 200, '/readyz': 503 })
  t.match(await callCommand(['healthcheck'], { HTTP: 'off', METRICS_PORT }), { status: 0 })
  t.match(await callCommand(['healthcheck', '--ready'], { HTTP: 'off', METRICS_PORT }), { status: 1 })
  t.match(await callCommand(['healthcheck'], { HTTP: 'off' }), { status: 0 })
})

t.test('nobody there', async (t) => {
  const { status, stderr } = await callCommand(['healthcheck'], { PORT: '9' })
  t.equal(status, 1)
  t.match(stderr, /^http:\/\/127\.0\.0\.1:9\/healthz does not answer\n/)
})
