import { findTenant } from '../access/tenants.ts'
import { loadTenantSettings, type TenantSettings } from '../directory/tenant-settings.ts'
import { changeTenantSettings, type SettingsChange } from '../provisioning/change-tenant-settings.ts'
import { createEncryptionKeys, type EncryptionKeys, SealedSecretError } from '../sealed-secret.ts'
import { keyOwner } from '../tenant-campaign-manager.ts'
import { type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { noTenant } from './no-tenant.ts'
import { formatJson, formatTable } from './table.ts'
import {
  parseSettings,
  policyNames,
  policyOptions,
  processSettings,
  readChanges,
  type SettingsArguments,
  URL_OPTION,
} from './tenant-settings-options.ts'

export const tenantSettingsUsage = `tenant settings NAME [--json]
       tenant settings NAME [--campaign-manager-url URL]
                            [--campaign-manager-key-stdin | --campaign-manager-key-file FILE]
                            [--placeholder-role ROLE] [--protected-roles ROLE,…] [--unknown-role reject|hold]
                            [--existing-accounts link|refuse] [--on-deactivate ignore|suspend]
                            [--on-user-delete delete|release] [--reset SETTING]…
       tenant reencrypt`

export const tenantSettingsHelp = `"tenant settings" shows what a tenant has of its own, and changes it; what it has not is as the service's settings have it. --reset
gives a setting up again: "campaign-manager-url" (with its key), or one of the names above. A running service goes by the new
settings at once, and reconciles the tenant's users anew where that concerns them. The URL cannot be changed while accounts are
linked, because they would stay where they are, with their access; the key can be at any time, and is kept encrypted with
ENCRYPTION_KEY. "tenant reencrypt" encrypts all such keys anew with the first key of ENCRYPTION_KEY, after which older ones can go.
`

/** @param args what follows "tenant settings" */
export async function tenantSettings(io: CommandIo, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseSettings(args)
  const [tenant, ...rest] = positionals
  if (tenant === undefined || rest.length > 0) throw new UsageError('say "tenant settings NAME"')
  const { json, ...changes } = values
  if (Object.keys(changes).length === 0) return show(io, tenant, json === true)
  if (json) throw new UsageError('--json is for showing the settings')
  return change(io, tenant, values)
}

async function show(io: CommandIo, tenant: string, json: boolean): Promise<number> {
  const keys = createEncryptionKeys(processSettings(io).encryptionKey)
  const settings = await withDatabase(io, async (db) => {
    const tenantId = await findTenant(db, tenant)
    return tenantId === undefined ? undefined : (await loadTenantSettings(db, [tenantId]))[0]
  })
  if (!settings) return noTenant(io, tenant)
  const { policies, disabled, campaignManager } = settings
  const shown = {
    tenant,
    disabled,
    campaignManagerUrl: campaignManager?.url ?? null,
    campaignManagerKey: keyState(settings, keys),
    ...Object.fromEntries(
      policyNames.map((option) => [policyOptions[option], policies[policyOptions[option]] ?? null]),
    ),
  }
  if (json) {
    io.out(formatJson(shown))
    return 0
  }
  const ofProcess = "(the service's)"
  io.out(
    formatTable(
      ['SETTING', 'VALUE'],
      [
        ['disabled', disabled ? 'yes' : 'no'],
        [URL_OPTION, shown.campaignManagerUrl ?? ofProcess],
        ['campaign-manager-key', shown.campaignManagerKey ?? ofProcess],
        ...policyNames.map((option) => {
          const value = policies[policyOptions[option]]
          return [option, value === undefined ? ofProcess : [value].flat().join(', ') || '(none)']
        }),
      ],
    ),
  )
  return 0
}

/** Never the key itself. */
function keyState({ tenantId, campaignManager }: TenantSettings, keys: EncryptionKeys): string | null {
  if (!campaignManager) return null
  try {
    keys.open(campaignManager.sealedKey, keyOwner(tenantId))
    return 'set'
  } catch (error) {
    if (error instanceof SealedSecretError) return `set, and cannot be read here: ${error.message}`
    throw error
  }
}

async function change(io: CommandIo, tenant: string, values: SettingsArguments): Promise<number> {
  const config = processSettings(io)
  const apply = readChanges(values, config)
  const result = await withDatabase(io, async (db) => {
    const tenantId = await findTenant(db, tenant)
    return tenantId === undefined ? undefined : changeTenantSettings(db, tenantId, apply)
  })
  return result ? report(io, tenant, result) : noTenant(io, tenant)
}

function report(io: CommandIo, tenant: string, result: SettingsChange): number {
  switch (result.kind) {
    case 'unchanged':
      io.out(`nothing to change: tenant ${tenant} has these settings\n`)
      return 0
    case 'changed':
      io.out(`settings of tenant ${tenant} changed\n`)
      if (result.marked > 0) io.err(`${result.marked} users marked; a running service reconciles them\n`)
      return 0
    case 'linked':
      io.err(
        `tenant ${tenant} has ${result.accounts} accounts in the Campaign Manager it has now, where they would keep their access; ` +
          'its URL can be changed once it has none: delete its users, or take them out of their groups\n',
      )
      return 1
  }
}
