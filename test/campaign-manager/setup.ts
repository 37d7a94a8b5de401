import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import {
  type CampaignManagerClientOptions,
  createCampaignManagerClient,
} from '../../src/campaign-manager/client.ts'
import { createSandbox } from '../../src/sandbox/server.ts'

export const token = 'a-token-that-must-not-leak-anywhere'
export const now = () => new Date('2026-11-01T08:00:00.000Z')

export const input = {
  email: 'Ida+x@contoso.example',
  firstName: 'Ida',
  lastName: 'Ek',
  displayName: 'Ida Ek',
  externalId: '7f0c2a5e-0000-4000-8000-000000000002',
  enabled: true,
  roles: ['Placeholder'],
}

type Settings = Partial<CampaignManagerClientOptions>

/** A client of the server at `baseUrl`, with what it observed; closed when the test ends. */
export function clientOf(t: Test, baseUrl: string, settings: Settings = {}) {
  const observed: [string, string][] = []
  let ticks = 0
  const client = createCampaignManagerClient({
    baseUrl,
    token,
    timeoutMs: 10_000,
    now,
    monotonic: () => ticks++ * 1000,
    observe: (operation, outcome) => observed.push([operation, outcome]),
    ...settings,
  })
  t.teardown(() => client.close())
  return { client, observed }
}

/** A client of a fresh sandbox. */
export async function withSandbox(t: Test, settings: Settings = {}, roles?: readonly string[]) {
  const sandbox = createSandbox({ token, now, roles })
  t.teardown(() => sandbox.close())
  const baseUrl = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  return { sandbox, state: sandbox.state, baseUrl, ...clientOf(t, baseUrl, settings) }
}

/** A client of a server that answers as the test says, and the requests that reached it. */
export async function withServer(t: Test, answer: RequestListener, settings: Settings = {}) {
  const requests: { method: string | undefined; url: string | undefined }[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    requests.push({ method: request.method, url: request.url })
    request.resume()
    request.once('end', () => answer(request, response as ServerResponse & { req: IncomingMessage }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cm/api/v1`
  return { requests, baseUrl, ...clientOf(t, baseUrl, settings) }
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export const user = (id: string, email: string) => ({
  id,
  email,
  enabled: true,
  roles: ['Analyst'],
  createdAt: now().toISOString(),
  updatedAt: now().toISOString(),
})
