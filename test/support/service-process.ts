import type { Test } from 'tap'
import { type RunningCommand, startCommand } from './command.ts'
import { type ScimRequest, scimClient } from './scim-client.ts'
import { CAMPAIGN_MANAGER_TOKEN, SCIM_TOKEN } from './service.ts'

export interface ServiceProcess extends RunningCommand {
  readonly url: string
  readonly scim: ScimRequest
}

export interface ServiceProcessOptions {
  readonly databaseUrl: string
  readonly campaignManagerUrl: string
  readonly env?: Readonly<Record<string, string>>
  readonly nodeArgs?: readonly string[]
}

/** The service as a process of its own, which reconciles by itself; resolves once it listens. */
export async function startServiceProcess(t: Test, options: ServiceProcessOptions): Promise<ServiceProcess> {
  const env = {
    PORT: '0',
    DATABASE_URL: options.databaseUrl,
    CAMPAIGN_MANAGER_URL: options.campaignManagerUrl,
    CAMPAIGN_MANAGER_TOKEN,
    CAMPAIGN_MANAGER_RATE: '0',
    SCIM_TOKEN,
    RESYNC_INTERVAL_SECONDS: '0',
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    ...options.env,
  }
  const command = startCommand(t, ['serve'], env, options.nodeArgs)
  const [, url = ''] = await command.printed(/(http:\/\/\S+)\/scim\/v2/)
  return { ...command, url, scim: scimClient(url, SCIM_TOKEN) }
}
