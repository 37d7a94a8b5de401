import { readFileSync } from 'node:fs'
import {
  type Config,
  ConfigError,
  isPlaceholderProtected,
  loadConfig,
  readTenantSetting,
  type TenantSetting,
} from '../config.ts'
import type { OwnPolicies, TenantSettings } from '../directory/tenant-settings.ts'
import type { ChangeSettings } from '../provisioning/change-tenant-settings.ts'
import { effectivePolicies } from '../provisioning/tenant-policies.ts'
import { createEncryptionKeys, type EncryptionKeys } from '../sealed-secret.ts'
import { keyOwner, normalizedUrl } from '../tenant-campaign-manager.ts'
import { parseArguments } from './arguments.ts'
import { type CommandIo, UsageError } from './command.ts'

type Policy = Exclude<TenantSetting, 'campaignManagerUrl' | 'campaignManagerToken'>

/** The options that change a policy, by what they change. */
export const policyOptions = {
  'placeholder-role': 'placeholderRole',
  'protected-roles': 'protectedRoles',
  'unknown-role': 'unknownRole',
  'existing-accounts': 'existingAccounts',
  'on-deactivate': 'onDeactivate',
  'on-user-delete': 'onUserDelete',
} as const satisfies Record<string, Policy>

type PolicyOption = keyof typeof policyOptions
export const policyNames = Object.keys(policyOptions) as PolicyOption[]
export const URL_OPTION = 'campaign-manager-url'

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

export const parseSettings = (args: readonly string[]) =>
  parseArguments(args, options, { allowPositionals: true })

export type SettingsArguments = ReturnType<typeof parseSettings>['values']

/** The settings of the service that a tenant's are checked against; production's demands are not this command's. */
export function processSettings({ env }: CommandIo): Config {
  const { ENCRYPTION_KEY, ENCRYPTION_KEY_FILE, CAMPAIGN_MANAGER_URL, PLACEHOLDER_ROLE, PROTECTED_ROLES } = env
  return loadConfig(
    { ENCRYPTION_KEY, ENCRYPTION_KEY_FILE, CAMPAIGN_MANAGER_URL, PLACEHOLDER_ROLE, PROTECTED_ROLES },
    (path) => readFileSync(path, 'utf8'),
  )
}

/** Collects the faults of what it reads, so that all are told at once. */
type Read = <Key extends TenantSetting>(key: Key, name: string, text: string) => Config[Key] | undefined

/** Reads and checks everything that can be before the database is asked. */
export function readChanges(values: SettingsArguments, config: Config): ChangeSettings {
  const faults: string[] = []
  const read: Read = (key, name, text) => {
    const reading = readTenantSetting(key, name, text)
    if ('value' in reading) return reading.value
    faults.push(reading.fault)
    return undefined
  }
  const reset = readReset(values)
  const policies = readPolicies(values, reset, read)
  const given = values[URL_OPTION]
  const url = given === undefined ? undefined : read('campaignManagerUrl', `--${URL_OPTION}`, given)
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
  if (faults.length > 0) throw new ConfigError(faults)
  const keys = createEncryptionKeys(config.encryptionKey)
  return (current) => {
    const campaignManager = reset.has(URL_OPTION) ? undefined : nextCampaignManager(current, url, key, keys)
    const next = { campaignManager, policies: { ...current.policies, ...policies } }
    const effective = effectivePolicies(next.policies, config)
    if (isPlaceholderProtected(effective)) {
      throw new ConfigError([
        `the protected roles must not contain the placeholder role (${JSON.stringify(effective.placeholderRole)})`,
      ])
    }
    return next
  }
}

function readReset(values: SettingsArguments): ReadonlySet<string> {
  const reset = new Set(values.reset ?? [])
  for (const name of reset) {
    if (name !== URL_OPTION && !policyNames.some((option) => option === name)) {
      throw new UsageError(`--reset ${name}: there is no such setting`)
    }
    if (values[name as keyof SettingsArguments] !== undefined) {
      throw new UsageError(`--reset ${name} and --${name} exclude each other`)
    }
  }
  const givesKey = values['campaign-manager-key-stdin'] || values['campaign-manager-key-file'] !== undefined
  if (reset.has(URL_OPTION) && givesKey) throw new UsageError(`--reset ${URL_OPTION} gives the key up, too`)
  return reset
}

const readPolicies = (
  values: SettingsArguments,
  reset: ReadonlySet<string>,
  read: Read,
): Partial<OwnPolicies> =>
  Object.fromEntries(
    policyNames.flatMap((option) => {
      const key = policyOptions[option]
      const text = values[option]
      if (text !== undefined) return [[key, read(key, `--${option}`, text)]]
      return reset.has(option) ? [[key, undefined]] : []
    }),
  )

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
function readKey(values: SettingsArguments): string | undefined {
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
