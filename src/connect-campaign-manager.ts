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
  readonly config: Config
  readonly url: string
  readonly key: string | undefined
  readonly clock: Clock
  readonly observe?: CampaignManagerClientOptions['observe']
  /** A call that waits for its turn when this is aborted goes on at once, and finds the client closed. */
  readonly closing?: AbortSignal
}

/** A connection to one Campaign Manager. How much may be asked of it is in the settings, and for each connection. */
export interface CampaignManagerConnection {
  readonly campaignManager: CampaignManager
  readonly roleCatalog: RoleCatalog
}

export function connectCampaignManager({
  config,
  url,
  key,
  clock,
  observe,
  closing,
}: CampaignManagerConnectionOptions): CampaignManagerConnection {
  const campaignManager = createCampaignManagerClient({
    baseUrl: url,
    token: key,
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
