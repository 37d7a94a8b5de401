import type { Test } from 'tap'
import { entra } from '../e2e/setup.ts'
import { callCommand } from '../support/command.ts'
import { startTestService, type TestService } from '../support/service.ts'

/** A service to which a little of everything has happened that it counts. */
export async function startBusyService(
  t: Test,
): Promise<TestService & { metricsUrl: string; keepBusy: (round: number) => Promise<void> }> {
  const service = await startTestService(t, { env: { METRICS_PORT: '0' } })
  const { database, sandbox, settle, running, url } = service
  const made = await callCommand(['token', 'create', '--name', 'entra', '--expires-in-days', '10'], {
    DATABASE_URL: database.url,
  })
  t.equal(made.status, 0, made.stderr)
  const actor = entra(t, service)
  await actor.createGroup('Agents')

  /** Somebody comes and gets a role, somebody else edits the account, and a stranger is turned away. */
  async function keepBusy(round: number): Promise<void> {
    const name = `ann${round}`
    await actor.createUser(name)
    await actor.add('Agents', name)
    await settle()
    const account = sandbox.state.userByEmail(`${name}@example.com`)
    if (!account) throw new Error(`${name} has no account`)
    sandbox.state.editUser(account.id, { roles: ['Placeholder'] })
    await service.resync()
    const stranger = await fetch(`${url}/scim/v2/Users`, { headers: { Authorization: 'Bearer wrong' } })
    t.equal(stranger.status, 401)
  }
  await keepBusy(0)
  return { ...service, metricsUrl: `${running.urls.metrics}/metrics`, keepBusy }
}
