import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { issueToken } from '../../src/access/tokens.ts'
import { systemClock } from '../../src/clock.ts'
import { createSandbox } from '../../src/sandbox/server.ts'
import type { SandboxState } from '../../src/sandbox/state.ts'
import { entra } from '../e2e/setup.ts'
import { callCommand } from '../support/command.ts'
import { type ScimRequest, scimClient } from '../support/scim-client.ts'
import { startTestService, type TestService, type TestServiceOptions } from '../support/service.ts'

export const ENCRYPTION_KEY = 'a1'.repeat(32)
export const OTHER_ENCRYPTION_KEY = Buffer.alloc(32, 7).toString('base64')
/** Not the key of the shared one, so that a call with the wrong key is refused. */
export const OTHER_KEY = 'key-of-the-other-campaign-manager'

export interface OwnCampaignManager {
  readonly url: string
  readonly state: SandboxState
}

/** A Campaign Manager that knows only `OTHER_KEY`. */
export async function startOther(t: Test, roles?: readonly string[]): Promise<OwnCampaignManager> {
  const sandbox = createSandbox({ now: systemClock.now, token: OTHER_KEY, ...(roles && { roles }) })
  const url = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  return { url, state: sandbox.state }
}

/** The tenant command, on the service's database. */
export const tenantCommand =
  (service: TestService, env: Record<string, string> = {}) =>
  (...args: string[]) =>
    callCommand(['tenant', ...args], {
      DATABASE_URL: service.database.url,
      CAMPAIGN_MANAGER_URL: service.campaignManagerUrl,
      ENCRYPTION_KEY,
      ...env,
    })

/** The options that name a tenant's own Campaign Manager, with its key in a file. */
export function ownOptions(t: Test, url: string, key = OTHER_KEY): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'campaign-manager-key-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'key')
  writeFileSync(file, `${key}\n`)
  return ['--campaign-manager-url', url, '--campaign-manager-key-file', file]
}

/** A tenant beside the default one, as Entra sees it. */
export async function addTenant(t: Test, service: TestService, name: string) {
  const tenant = tenantCommand(service)
  t.match(await tenant('create', name), { status: 0 })
  const issued = await issueToken(service.database.db, name, 'test', undefined)
  const scim: ScimRequest = scimClient(service.url, issued?.token ?? '')
  return { name, scim, actor: entra(t, { ...service, scim }), token: issued?.token ?? '' }
}

export interface TwoTenants {
  readonly service: TestService
  /** The default tenant, in the shared Campaign Manager. */
  readonly here: ReturnType<typeof entra>
  /** The tenant `other`, in one of its own. */
  readonly there: ReturnType<typeof entra>
  readonly thereScim: ScimRequest
  readonly thereToken: string
  readonly own: OwnCampaignManager
  readonly tenant: ReturnType<typeof tenantCommand>
}

export async function twoTenants(t: Test, options: TestServiceOptions = {}): Promise<TwoTenants> {
  const service = await startTestService(t, { ...options, env: { ENCRYPTION_KEY, ...options.env } })
  const own = await startOther(t)
  const tenant = tenantCommand(service)
  const other = await addTenant(t, service, 'other')
  t.match(await tenant('settings', 'other', ...ownOptions(t, own.url)), {
    status: 0,
    stdout: 'settings of tenant other changed\n',
  })
  return {
    service,
    own,
    tenant,
    here: entra(t, service),
    there: other.actor,
    thereScim: other.scim,
    thereToken: other.token,
  }
}

export const rolesIn = (state: SandboxState): Record<string, string[]> =>
  Object.fromEntries(state.users().map(({ email, roles }) => [email, [...roles]]))

export const writesTo = (state: SandboxState): string[] =>
  state.requests.filter(({ method }) => method !== 'GET').map(({ method }) => method)
