// Whoever sends requests here learns from /readyz, a little late, that a process is to stop: until then it answers.
import { Agent, get } from 'node:http'
import t, { type Test } from 'tap'
import { createDatabase } from '../support/database.ts'
import { userBody } from '../support/scim-client.ts'
import { startServiceProcess } from '../support/service-process.ts'

/** Asks over the agent's connection, and says whether that had been used before. */
function probe(url: string, agent: Agent): Promise<{ status: number; connection: string; reused: boolean }> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/readyz`, { agent }, (response) => {
      const { statusCode: status = 0, headers } = response
      response.resume().on('end', () => {
        resolve({ status, connection: headers.connection ?? '', reused: request.reusedSocket })
      })
    }).on('error', reject)
  })
}

async function setUp(t: Test) {
  const { url } = await createDatabase(t)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const service = await startServiceProcess(t, {
    databaseUrl: url,
    campaignManagerUrl: 'http://127.0.0.1:1',
    env: { RECONCILE: 'off', LOG_LEVEL: 'info' },
  })
  return { service, agent }
}

t.test('a process that is asked to stop says so, and answers what still arrives', async (t) => {
  const { service, agent } = await setUp(t)
  t.match(await probe(service.url, agent), { status: 200, connection: 'keep-alive' })
  service.child.kill('SIGTERM')
  await service.printed(/"msg":"stopping"/)
  t.same(await probe(service.url, agent), { status: 503, connection: 'close', reused: true })
  t.same(await probe(service.url, agent), { status: 503, connection: 'close', reused: false })
  const created = await service.scim('POST', '/Users', userBody('late'))
  t.equal(created.status, 201)
  t.equal(created.headers.get('connection'), 'close')
  t.match(await service.ended, { status: 0, stdout: /"msg":"stopped"/ })
})
