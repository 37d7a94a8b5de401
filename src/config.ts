import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { includesRole } from './roles/role-name.ts'
import { readSchemaExtensionsFile } from './schema-extensions.ts'
import type { SchemaExtension } from './scim/schema-extension.ts'
import { environmentName, Settings, type TENANT_SETTINGS } from './settings.ts'

type Setting = keyof typeof Settings.properties
type DeepReadonly<T> = T extends (infer Item)[] ? readonly Item[] : T

/** What the environment asks for; an optional setting that was not given is absent. */
export type Config = {
  readonly [Key in keyof Static<typeof Settings> as Exclude<Key, 'schemaExtensions'>]: DeepReadonly<
    Static<typeof Settings>[Key]
  >
} & {
  readonly production: boolean
  /** The content of the file that SCHEMA_EXTENSIONS names. */
  readonly schemaExtensions: readonly SchemaExtension[]
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>
type ReadFile = (path: string) => string

/** Reads and checks every setting; a `ConfigError` holds every fault at once, one line each. */
export function loadConfig(env: Environment, readFile: ReadFile): Config {
  const faults: string[] = []
  const settings: Record<string, unknown> = {}
  const faulty = new Set<string>()

  for (const [key, schema] of Object.entries<TSchema>(Settings.properties)) {
    const reading = readSetting(environmentName(key), schema, env, readFile)
    if ('fault' in reading) {
      faults.push(reading.fault)
      faulty.add(key)
    } else if (reading.value !== undefined) {
      settings[key] = Object.freeze(reading.value)
    }
  }
  const reading = readSchemaExtensionsFile(String(settings.schemaExtensions ?? ''), readFile)
  faults.push(...reading.faults.map((fault) => `SCHEMA_EXTENSIONS: ${fault}`))
  const config = Object.freeze({
    ...settings,
    production: settings.nodeEnv === 'production',
    schemaExtensions: Object.freeze(reading.extensions),
  }) as Config
  faults.push(...contradictions(config, faulty))
  if (faults.length > 0) throw new ConfigError(faults)
  return config
}

export type TenantSetting = (typeof TENANT_SETTINGS)[number]

/** Checks what a tenant is to have in place of the process's setting. `name` begins the fault. */
export function readTenantSetting<Key extends TenantSetting>(
  key: Key,
  name: string,
  text: string,
): { readonly value: NonNullable<Config[Key]> } | { readonly fault: string } {
  const schema: TSchema = Settings.properties[key]
  const value = convert(schema, text)
  if (Value.Check(schema, value)) return { value: value as NonNullable<Config[Key]> }
  return { fault: faultOf(name, schema, text) }
}

type Reading = { value: unknown } | { fault: string }

function readSetting(name: string, schema: TSchema, env: Environment, readFile: ReadFile): Reading {
  const source = schema.secret ? readSecret(name, env, readFile) : { value: env[name] }
  if ('fault' in source) return source
  const text = source.value
  if (text === undefined || text === '') return { value: schema.default }

  const value = convert(schema, text)
  if (Value.Check(schema, value)) return { value }
  return { fault: faultOf(name, schema, text) }
}

function faultOf(name: string, schema: TSchema, text: string): string {
  // An address with a password in it is refused, and must not be shown for that.
  const shown = schema.secret || text.includes('@') ? '' : `, not ${JSON.stringify(text)}`
  return `${name}: must ${schema.must}${shown}`
}

function readSecret(
  name: string,
  env: Environment,
  readFile: ReadFile,
): { value: string | undefined } | { fault: string } {
  const path = env[`${name}_FILE`]
  if (!path) return { value: env[name] }
  if (env[name]) return { fault: `${name}: must not be set together with ${name}_FILE` }
  try {
    const value = readFile(path).replace(/\r?\n$/, '')
    return value === '' ? { fault: `${name}_FILE: the file ${path} is empty` } : { value }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    return { fault: `${name}_FILE: cannot read the file ${path} (${reason})` }
  }
}

/** Text to the schema's type; what does not fit stays text, and fails the check. */
function convert(schema: TSchema, text: string): unknown {
  switch (schema.type) {
    case 'integer':
      return /^\d{1,15}$/.test(text) ? Number(text) : text
    case 'number':
      return /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'on' ? true : text === 'off' ? false : text
    case 'array':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '')
    default:
      if (schema.secret) return text
      return ['base-url', 'key-url'].includes(schema.format) ? text.trim().replace(/\/+$/, '') : text.trim()
  }
}

export const NO_DATABASE =
  'DATABASE_URL: must be set with NODE_ENV=production; the embedded database is for trying things'

/** Settings that are each right and wrong together. */
function contradictions(config: Config, faulty: ReadonlySet<string>): string[] {
  const right = (...keys: Setting[]) => keys.every((key) => !faulty.has(key))
  const faults: string[] = []

  if (right('reconcile', 'http') && !config.reconcile && !config.http) {
    faults.push('RECONCILE: must not be "off" together with HTTP, or the process has nothing to do')
  }
  if (right('port', 'metricsPort') && config.metricsPort && config.metricsPort === config.port) {
    faults.push(`METRICS_PORT: must not be the same as PORT (${config.port})`)
  }
  if (right('placeholderRole', 'protectedRoles')) {
    if (isPlaceholderProtected(config)) {
      faults.push(`PROTECTED_ROLES: must not contain PLACEHOLDER_ROLE ("${config.placeholderRole}")`)
    }
  }
  if (config.production && right('databaseUrl') && config.databaseUrl === undefined) {
    faults.push(NO_DATABASE)
  }
  if (config.production && right('campaignManagerUrl') && config.campaignManagerUrl === undefined) {
    faults.push(
      'CAMPAIGN_MANAGER_URL: must be set with NODE_ENV=production; the sandbox is for trying things',
    )
  }
  return faults
}

/** A placeholder that is never granted could be on no account. */
export function isPlaceholderProtected({
  placeholderRole,
  protectedRoles,
}: Pick<Config, 'placeholderRole' | 'protectedRoles'>): boolean {
  return includesRole(protectedRoles, placeholderRole)
}
