import type { Kysely } from 'kysely'
import type { CampaignManager } from './campaign-manager/client.ts'
import { CampaignManagerError } from './campaign-manager/errors.ts'
import type { RoleCatalog } from './campaign-manager/role-catalog.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import {
  type CampaignManagerConnection,
  type CampaignManagerConnectionOptions,
  connectCampaignManager,
} from './connect-campaign-manager.ts'
import type { Database } from './db/tables.ts'
import {
  loadTenantSettings,
  loadTenantsOfEndpoint,
  type TenantSettings,
} from './directory/tenant-settings.ts'
import type { TenantPolicies } from './provisioning/tenant-policies.ts'
import { WalkPostponedError } from './reconcile/inventory-walk.ts'
import type { EncryptionKeys } from './sealed-secret.ts'
import { type ResolvedTenant, resolveTenant, TenantUnusableError } from './tenant-campaign-manager.ts'

export interface TenantConnectionsOptions {
  readonly db: Kysely<Database>
  readonly config: Config
  readonly encryptionKeys: EncryptionKeys
  readonly clock: Clock
  readonly observe?: CampaignManagerConnectionOptions['observe']
  readonly closing?: AbortSignal
  readonly log: { error(fields: object, message: string): void }
}

/** What everything that is done for a tenant goes by, as its settings are at this moment. */
export interface TenantUse {
  readonly version: number
  readonly endpoint: string
  /** Names the connection. */
  readonly line: string
  readonly policies: TenantPolicies
  readonly campaignManager: CampaignManager
  readonly roleCatalog: RoleCatalog
}

export interface TenantConnections {
  /** Rejects with a TenantUnusableError. The connection stays open until `run` has ended, whatever is changed meanwhile. */
  use<T>(tenantId: number, run: (tenant: TenantUse) => Promise<T>): Promise<T>
  /** The same, for any tenant that is served and whose accounts are in this Campaign Manager. */
  useEndpoint<T>(endpoint: string, run: (tenant: TenantUse) => Promise<T>): Promise<T>
  /** Undefined for a tenant that is not served, or cannot be for now. */
  policiesOf(tenantId: number): Promise<TenantPolicies | undefined>
  /** Those of these tenants who can be served, by connection; what is known of all others is forgotten. */
  lines(
    tenants: readonly { readonly tenantId: number; readonly settingsVersion: number }[],
  ): Promise<Map<string, number[]>>
  /** How many tenants cannot be served, as far as this process knows. */
  readonly unusable: number
  close(): Promise<void>
}

interface OpenConnection extends CampaignManagerConnection {
  readonly line: string
  /** What is under way over it. */
  uses: number
  /** No tenant has it any more: it is closed once nothing is under way. */
  isUnwanted: boolean
}

/** A tenant as it was last looked at: with what its settings come to, or why that is nothing. */
interface KnownTenant {
  readonly version: number
  readonly resolved: ResolvedTenant | TenantUnusableError
}

/**
 * The connections to the Campaign Managers of all tenants: one for each URL and key, made when first wanted and closed when no
 * tenant has it any more. Settings are read anew for whatever is done; only what they come to is kept, by their version.
 */
export function connectTenants(options: TenantConnectionsOptions): TenantConnections {
  const { db, config, encryptionKeys, log } = options
  const known = new Map<number, KnownTenant>()
  const connections = new Map<string, OpenConnection>()
  let opened = 0
  let closed = false

  function know(settings: TenantSettings): KnownTenant {
    const before = known.get(settings.tenantId)
    // A version may go back: after a failover to a replica that lagged, the database knows less than it did.
    if (before?.version === settings.version) return before
    const now = { version: settings.version, resolved: resolvedOrNot(settings) }
    known.set(settings.tenantId, now)
    if (now.resolved instanceof TenantUnusableError) {
      const { tenantId, name: tenant } = settings
      log.error({ tenantId, tenant, reason: now.resolved.message }, 'the work of a tenant waits')
    }
    closeUnused()
    return now
  }

  function resolvedOrNot(settings: TenantSettings): KnownTenant['resolved'] {
    try {
      return resolveTenant(settings, config, encryptionKeys)
    } catch (error) {
      if (error instanceof TenantUnusableError) return error
      throw error
    }
  }

  function connectionOf({ settings, campaignManager: { url, key } }: ResolvedTenant): OpenConnection {
    const name = nameOf({ url, key })
    const open = connections.get(name)
    if (open) return open
    const { clock, observe, closing } = options
    const made = connectCampaignManager({ config, url, key, clock, observe, ...(closing && { closing }) })
    opened += 1
    const connection = { ...made, line: `${settings.endpoint}#${opened}`, uses: 0, isUnwanted: false }
    connections.set(name, connection)
    // Whoever comes too late finds it as closed as everybody else.
    if (closed) closeAtLeisure(connection)
    return connection
  }

  function closeUnused(): void {
    const wanted = new Set(
      [...known.values()].flatMap(({ resolved }) =>
        resolved instanceof TenantUnusableError ? [] : [nameOf(resolved.campaignManager)],
      ),
    )
    for (const [name, connection] of connections) {
      connection.isUnwanted = !wanted.has(name)
      if (!connection.isUnwanted || connection.uses > 0) continue
      connections.delete(name)
      closeAtLeisure(connection)
    }
  }

  function closeAtLeisure({ campaignManager }: OpenConnection): void {
    campaignManager
      .close()
      .catch((error) => log.error({ err: error }, 'a connection to Campaign Manager could not be closed'))
  }

  async function run<T>(resolved: ResolvedTenant, work: (tenant: TenantUse) => Promise<T>): Promise<T> {
    const connection = connectionOf(resolved)
    connection.uses += 1
    try {
      const { settings, policies } = resolved
      const { line, campaignManager, roleCatalog } = connection
      const { version, endpoint } = settings
      return await work({ version, endpoint, line, policies, campaignManager, roleCatalog })
    } finally {
      connection.uses -= 1
      if (connection.isUnwanted) closeUnused()
    }
  }

  const lookUp = async (tenantId: number): Promise<TenantSettings | undefined> =>
    (await loadTenantSettings(db, [tenantId]))[0]

  return {
    async use(tenantId, work) {
      const settings = await lookUp(tenantId)
      if (!settings) throw new TenantUnusableError(`there is no tenant ${tenantId}`)
      const { resolved } = know(settings)
      if (resolved instanceof TenantUnusableError) throw resolved
      return run(resolved, work)
    },
    async useEndpoint(endpoint, work) {
      const tenants = (await loadTenantsOfEndpoint(db, endpoint)).map((settings) => know(settings).resolved)
      let failure: unknown = new TenantUnusableError('no tenant of this Campaign Manager is served')
      const tried = new Set<string>()
      for (const resolved of tenants) {
        if (resolved instanceof TenantUnusableError) {
          failure = resolved
          continue
        }
        const name = nameOf(resolved.campaignManager)
        if (tried.has(name)) continue
        tried.add(name)
        try {
          return await run(resolved, work)
        } catch (error) {
          // One tenant's key is no reason to leave the accounts of its neighbours alone.
          if (!isOfOneConnection(error)) throw error
          failure = error
        }
      }
      throw failure
    },
    async policiesOf(tenantId) {
      const settings = await lookUp(tenantId)
      if (!settings || settings.disabled) return undefined
      const { resolved } = know(settings)
      return resolved instanceof TenantUnusableError ? undefined : resolved.policies
    },
    async lines(tenants) {
      const changed = tenants.filter(
        ({ tenantId, settingsVersion }) => known.get(tenantId)?.version !== settingsVersion,
      )
      if (changed.length > 0) {
        const settings = await loadTenantSettings(
          db,
          changed.map(({ tenantId }) => tenantId),
        )
        settings.forEach(know)
      }
      const served = new Set(tenants.map(({ tenantId }) => tenantId))
      for (const tenantId of known.keys()) if (!served.has(tenantId)) known.delete(tenantId)
      closeUnused()
      const lines = new Map<string, number[]>()
      for (const { tenantId } of tenants) {
        const resolved = known.get(tenantId)?.resolved
        if (resolved === undefined || resolved instanceof TenantUnusableError) continue
        const { line } = connectionOf(resolved)
        lines.set(line, [...(lines.get(line) ?? []), tenantId])
      }
      return lines
    },
    get unusable() {
      return [...known.values()].filter(({ resolved }) => resolved instanceof TenantUnusableError).length
    },
    async close() {
      closed = true
      const open = [...connections.values()]
      await Promise.all(open.map(({ campaignManager }) => campaignManager.close()))
    },
  }
}

const isOfOneConnection = (error: unknown): boolean =>
  error instanceof WalkPostponedError ||
  (error instanceof CampaignManagerError && ['unauthorized', 'forbidden'].includes(error.code))

const nameOf = ({ url, key }: ResolvedTenant['campaignManager']): string => JSON.stringify([url, key])
