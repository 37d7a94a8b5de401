import { type Config, isPlaceholderProtected } from './config.ts'
import type { TenantSettings } from './directory/tenant-settings.ts'
import { effectivePolicies, type TenantPolicies } from './provisioning/tenant-policies.ts'
import { type EncryptionKeys, SealedSecretError } from './sealed-secret.ts'

/** What a tenant's settings come to, together with the process's. */
export interface ResolvedTenant {
  readonly settings: TenantSettings
  readonly policies: TenantPolicies
  readonly campaignManager: { readonly url: string; readonly key: string | undefined }
}

/** A tenant for whom nothing can be done until somebody changes its settings, or the process's. The message says why. */
export class TenantUnusableError extends Error {
  override readonly name = 'TenantUnusableError'
  /** The policies, which are known even then; undefined when there is no such tenant. */
  readonly policies: TenantPolicies | undefined

  constructor(message: string, policies?: TenantPolicies, options?: ErrorOptions) {
    super(message, options)
    this.policies = policies
  }
}

/** What the key of a tenant's own Campaign Manager is bound to. */
export const keyOwner = (tenantId: number) => ({ tenantId, purpose: 'campaign_manager_key' })

/** The form in which URLs are compared: that of the standard, without a slash at the end. */
export const normalizedUrl = (url: string): string => new URL(url).href.replace(/\/+$/, '')

type SharedSettings = TenantPolicies & Pick<Config, 'campaignManagerUrl' | 'campaignManagerToken'>

/** Throws a TenantUnusableError. Never puts the shared Campaign Manager in the place of one of the tenant's own. */
export function resolveTenant(
  settings: TenantSettings,
  shared: SharedSettings,
  keys: EncryptionKeys,
): ResolvedTenant {
  const policies = effectivePolicies(settings.policies, shared)
  const unusable: Unusable = (reason, cause) =>
    new TenantUnusableError(`tenant ${settings.name}: ${reason}`, policies, { cause })
  if (isPlaceholderProtected(policies)) {
    throw unusable(`the placeholder role '${policies.placeholderRole}' is one of the protected roles`)
  }
  return { settings, policies, campaignManager: campaignManagerOf(settings, shared, keys, unusable) }
}

type Unusable = (reason: string, cause?: unknown) => TenantUnusableError

function campaignManagerOf(
  settings: TenantSettings,
  shared: SharedSettings,
  keys: EncryptionKeys,
  unusable: Unusable,
): ResolvedTenant['campaignManager'] {
  const own = settings.campaignManager
  if (!own && settings.endpoint === '') {
    if (shared.campaignManagerUrl === undefined) throw unusable('CAMPAIGN_MANAGER_URL is not set')
    return { url: shared.campaignManagerUrl, key: shared.campaignManagerToken }
  }
  if (own?.url !== settings.endpoint) throw unusable('its Campaign Manager is only half set')
  // As an endpoint of its own, its accounts would not be known to be the shared one's.
  if (shared.campaignManagerUrl !== undefined && normalizedUrl(shared.campaignManagerUrl) === own.url) {
    throw unusable('the URL of its own Campaign Manager is that of the shared one')
  }
  try {
    return { url: own.url, key: keys.open(own.sealedKey, keyOwner(settings.tenantId)) }
  } catch (cause) {
    if (!(cause instanceof SealedSecretError)) throw cause
    throw unusable(`the key of its Campaign Manager cannot be read: ${cause.message}`, cause)
  }
}
