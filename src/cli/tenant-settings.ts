import { readFileSync } from 'node:fs'
import { findTenant } from '../access/tenants.ts'
import {
  type Config,
  ConfigError,
  isPlaceholderProtected,
  loadConfig,
  readTenantSetting,
  type TenantSetting,
} from '../config.ts'
import { loadTenantSettings, type TenantSettings } from '../directory/tenant-settings.ts'
import {
  type ChangeSettings,
  changeTenantSettings,
  type SettingsChange,
} from '../provisioning/change-tenant-settings.ts'
import { effectivePolicies } from '../provisioning/tenant-policies.ts'
import { createEncryptionKeys, type EncryptionKeys, SealedSecretError } from '../sealed-secret.ts'
import { keyOwner, normalizedUrl } from '../tenant-campaign-manager.ts'
import { parseArguments } from './arguments.ts'
import { type CommandIo, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'

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

type Policy = Exclude<TenantSetting, 'campaignManagerUrl' | 'campaignManagerToken'>

/** The options that change a policy, by what they change. */
const policyOptions = {
  'placeholder-role': 'placeholderRole',
  'protected-roles': 'protectedRoles',
  'unknown-role': 'unknownRole',
  'existing-accounts': 'existingAccounts',
  'on-deactivate': 'onDeactivate',
  'on-user-delete': 'onUserDelete',
} as const satisfies Record<string, Policy>

type PolicyOption = keyof typeof policyOptions
const policyNames = Object.keys(policyOptions) as PolicyOption[]
const URL_OPTION = 'campaign-manager-url'

const options = {
  [URL_OPTION]: { type: 'string' },
  'campaign-manager-key-stdin': { type: 'boolean' },
  'campaign-manager-key-file': { type: 'string' },
  'placeholder-role': { type: 'string' },
  'protected-roles': { type: 'string' },
  'unknown-role': { type: 'string' },
  'existing-accounts': { type: 'string' },
  'on-deactivate': { type: 'string' },
  'on-user-delete': { type: 'string' },
  reset: { type: 'string', multiple: true },
  json: { type: 'boolean' },
} as const

const parse = (args: readonly string[]) => parseArguments(args, options, { allowPositionals: true })
type Values = ReturnType<typeof parse>['values']

/** @param args what follows "tenant settings" */
export async function tenantSettings(io: CommandIo, args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args)
  const [tenant, ...rest] = positionals
  if (tenant === undefined || rest.length > 0) throw new UsageError('say "tenant settings NAME"')
  const { json, ...changes } = values
  if (Object.keys(changes).length === 0) return show(io, tenant, json === true)
  if (json) throw new UsageError('--json is for showing the settings')
  return change(io, tenant, values)
}

/** The settings of the service that a tenant's are checked against; production's demands are not this command's. */
function processSettings({ env }: CommandIo): Config {
  const { ENCRYPTION_KEY, ENCRYPTION_KEY_FILE, CAMPAIGN_MANAGER_URL, PLACEHOLDER_ROLE, PROTECTED_ROLES } = env
  return loadConfig(
    { ENCRYPTION_KEY, ENCRYPTION_KEY_FILE, CAMPAIGN_MANAGER_URL, PLACEHOLDER_ROLE, PROTECTED_ROLES },
    (path) => readFileSync(path, 'utf8'),
  )
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

async function change(io: CommandIo, tenant: string, values: Values): Promise<number> {
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

/** Reads and checks everything before the database is asked; every fault at once. */
function readChanges(values: Values, config: Config): ChangeSettings {
  const faults: string[] = []
  const read = <Key extends TenantSetting>(key: Key, name: string, text: string) => {
    const reading = readTenantSetting(key, name, text)
    if ('value' in reading) return reading.value
    faults.push(reading.fault)
    return undefined
  }
  const reset = new Set(values.reset ?? [])
  for (const name of reset) {
    if (name !== URL_OPTION && !policyNames.some((option) => option === name)) {
      throw new UsageError(`--reset ${name}: there is no such setting`)
    }
    if (values[name as keyof Values] !== undefined)
      throw new UsageError(`--reset ${name} and --${name} exclude each other`)
  }
  const policies = Object.fromEntries(
    policyNames.flatMap((option) => {
      const key = policyOptions[option]
      const text = values[option]
      if (text !== undefined) return [[key, read(key, `--${option}`, text)]]
      return reset.has(option) ? [[key, undefined]] : []
    }),
  )
  const url =
    values[URL_OPTION] === undefined
      ? undefined
      : read('campaignManagerUrl', `--${URL_OPTION}`, values[URL_OPTION])
  const keyText = readKey(values)
  const key = keyText === undefined ? undefined : read('campaignManagerToken', 'the key', keyText)
  if (url !== undefined && config.campaignManagerUrl !== undefined) {
    if (normalizedUrl(url) === normalizedUrl(config.campaignManagerUrl)) {
      faults.push(`--${URL_OPTION}: must not be CAMPAIGN_MANAGER_URL, which is the shared Campaign Manager`)
    }
  }
  if (key !== undefined && config.encryptionKey === undefined) {
    faults.push('ENCRYPTION_KEY: must be set, to keep the key of a Campaign Manager')
  }
  if (reset.has(URL_OPTION) && key !== undefined) {
    throw new UsageError(`--reset ${URL_OPTION} gives the key up, too`)
  }
  if (faults.length > 0) throw new ConfigError(faults)
  const keys = createEncryptionKeys(config.encryptionKey)
  return (current) => {
    const next = {
      policies: { ...current.policies, ...policies },
      campaignManager: reset.has(URL_OPTION) ? undefined : nextCampaignManager(current, url, key, keys),
    }
    const effective = effectivePolicies(next.policies, config)
    if (isPlaceholderProtected(effective)) {
      throw new ConfigError([
        `the protected roles must not contain the placeholder role (${JSON.stringify(effective.placeholderRole)})`,
      ])
    }
    return next
  }
}

function nextCampaignManager(
  { tenantId, campaignManager: current }: TenantSettings,
  url: string | undefined,
  key: string | undefined,
  keys: EncryptionKeys,
): TenantSettings['campaignManager'] {
  const nextUrl = url === undefined ? current?.url : normalizedUrl(url)
  if (nextUrl === undefined) {
    if (key === undefined) return undefined
    throw new UsageError(`a tenant has a key of its own only together with --${URL_OPTION}`)
  }
  if (key !== undefined) return { url: nextUrl, sealedKey: keys.seal(key, keyOwner(tenantId)) }
  if (current?.url === nextUrl) return current
  // The key that is there was for another Campaign Manager, and is nothing for this one to see.
  throw new UsageError(`--${URL_OPTION} needs --campaign-manager-key-stdin or --campaign-manager-key-file`)
}

/** From standard input or a file: on the command line others would see it. */
function readKey(values: Values): string | undefined {
  const path = values['campaign-manager-key-file']
  const fromStdin = values['campaign-manager-key-stdin'] === true
  if (fromStdin && path !== undefined)
    throw new UsageError('the key comes from a file or from standard input')
  if (!fromStdin && path === undefined) return undefined
  try {
    return readFileSync(path ?? 0, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new ConfigError([`the key cannot be read from ${path ?? 'standard input'} (${reason})`])
  }
}

function noTenant(io: CommandIo, tenant: string): number {
  io.err(`there is no tenant named ${tenant}\n`)
  return 1
}
