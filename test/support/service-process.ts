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

export const processEnv = ({ databaseUrl, campaignManagerUrl, env }: ServiceProcessOptions) => ({
  PORT: '0',
  DATABASE_URL: databaseUrl,
  CAMPAIGN_MANAGER_URL: campaignManagerUrl,
  CAMPAIGN_MANAGER_TOKEN,
  CAMPAIGN_MANAGER_RATE: '0',
  SCIM_TOKEN,
  RESYNC_INTERVAL_SECONDS: '0',
  LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
  ...env,
})

/** The service as a process of its own, which reconciles by itself; resolves once it listens. */
export async function startServiceProcess(t: Test, options: ServiceProcessOptions): Promise<ServiceProcess> {
  const command = startCommand(t, ['serve'], processEnv(options), options.nodeArgs)
  const [, url = ''] = await command.printed(/(http:\/\/\S+)\/scim\/v2/)
  return { ...command, url, scim: scimClient(url, SCIM_TOKEN) }
}
