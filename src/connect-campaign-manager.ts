import { setTimeout as delay } from 'node:timers/promises'
import {
  type CampaignManager,
  type CampaignManagerClientOptions,
  createCampaignManagerClient,
} from './campaign-manager/client.ts'
import { createRoleCatalog, type RoleCatalog } from './campaign-manager/role-catalog.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { createCallGate } from './reconcile/call-gate.ts'

export interface CampaignManagerConnectionOptions {
  readonly config: Config & { readonly campaignManagerUrl: string }
  readonly clock: Clock
  readonly observe?: CampaignManagerClientOptions['observe']
  /** A call that waits for its turn when this is aborted goes on at once, and finds the client closed. */
  readonly closing?: AbortSignal
}

/** Campaign Manager as the settings have it: where it is, and how much may be asked of it. */
export function connectCampaignManager({
  config,
  clock,
  observe,
  closing,
}: CampaignManagerConnectionOptions): {
  campaignManager: CampaignManager
  roleCatalog: RoleCatalog
} {
  const campaignManager = createCampaignManagerClient({
    baseUrl: config.campaignManagerUrl,
    token: config.campaignManagerToken,
    timeoutMs: config.campaignManagerTimeoutMs,
    now: clock.now,
    monotonic: clock.monotonic,
    gate: createCallGate({
      concurrency: config.campaignManagerConcurrency,
      ratePerSecond: config.campaignManagerRate,
      monotonic: clock.monotonic,
      delay: (ms) => delay(ms, undefined, { ...(closing && { signal: closing }) }).catch(() => {}),
    }),
    observe,
  })
  const ttlMs = config.roleCacheSeconds * 1000
  return { campaignManager, roleCatalog: createRoleCatalog({ campaignManager, ttlMs, now: clock.monotonic }) }
}
