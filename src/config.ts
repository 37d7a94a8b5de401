import { BlockList, isIP } from 'node:net'
import { FormatRegistry, type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isKeyUrl } from './access/jwks-url.ts'
import { readSchemaExtensionsFile } from './schema-extensions.ts'
import type { SchemaExtension } from './scim/schema-extension.ts'
import { parseEncryptionKeys } from './sealed-secret.ts'

/** `must` ends the sentence "NAME: must …" of a fault. */
const integer = (minimum: number, maximum: number) =>
  ({ minimum, maximum, must: `be an integer between ${minimum} and ${maximum}` }) as const

const oneOf = <const Words extends string[]>(words: Words, fallback: Words[number]) =>
  Type.Union(
    words.map((word) => Type.Literal<Words[number]>(word)),
    { default: fallback, must: `be ${words.map((word) => `"${word}"`).join(' or ')}` },
  )

const onOff = (fallback: boolean) => Type.Boolean({ default: fallback, must: 'be "on" or "off"' })

const secret = (pattern: string, must: string) => Type.Optional(Type.String({ secret: true, pattern, must }))

const BASE_URL = {
  format: 'base-url',
  must: 'be a URL that starts with http:// or https://, without credentials, query or fragment',
} as const

const VISIBLE = '[\\x21-\\x7e]'
const LONGEST_TIMER_SECONDS = 1_209_600 // two weeks: Node's timers overflow after 24 days

FormatRegistry.Set('postgres-url', (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text))
FormatRegistry.Set('base-url', isBaseUrl)
FormatRegistry.Set('address-range', isAddressRange)
FormatRegistry.Set('key-url', (text) => isBaseUrl(text) && isKeyUrl(text))
FormatRegistry.Set('encryption-keys', (text) => parseEncryptionKeys(text) !== undefined)

const Settings = Type.Object({
  databaseUrl: Type.Optional(
    Type.String({
      secret: true,
      format: 'postgres-url',
      must: 'be a URL that starts with postgres:// or postgresql://',
    }),
  ),
  dataDir: Type.String({ default: '.data', minLength: 1, must: 'be a path' }),
  host: Type.String({
    default: '127.0.0.1',
    pattern: '^[\\w.:%-]+$',
    must: 'be an address or a host name',
  }),
  port: Type.Integer({ default: 8080, ...integer(0, 65535) }),
  metricsPort: Type.Optional(Type.Integer(integer(0, 65535))),
  publicUrl: Type.Optional(
    Type.String({
      format: 'base-url',
      must: 'be a URL that starts with http:// or https://, without credentials, query or fragment',
    }),
  ),
  trustProxy: Type.Array(Type.String({ format: 'address-range' }), {
    default: [],
    must: 'be a comma-separated list of IP addresses or CIDR ranges',
  }),
  scimToken: secret(`^${VISIBLE}{32,}$`, 'be at least 32 visible ASCII characters, without spaces'),
  scimRate: Type.Number({
    default: 0,
    minimum: 0,
    maximum: 100_000,
    must: 'be a number between 0 and 100000',
  }),
  encryptionKey: Type.Optional(
    Type.String({
      secret: true,
      format: 'encryption-keys',
      must: 'be 32 bytes in base64 or in hexadecimal digits, or several such, separated by commas',
    }),
  ),
  // No trailing slash, as in the issuers that begin with it.
  entraAuthority: Type.String({
    default: 'https://login.microsoftonline.com',
    format: 'key-url',
    must: 'be an https URL without credentials, query or fragment',
  }),
  operatorToken: secret(`^${VISIBLE}+$`, 'be visible ASCII characters, without spaces'),
  campaignManagerUrl: Type.Optional(
    Type.String({
      format: 'base-url',
      must: 'be a URL that starts with http:// or https://, without credentials, query or fragment',
    }),
  ),
  campaignManagerToken: secret(`^${VISIBLE}+$`, 'be visible ASCII characters, without spaces'),
  // Below the lease of a user who is being reconciled (60 s), or a late write could meet another process's.
  campaignManagerTimeoutMs: Type.Integer({ default: 10_000, ...integer(1, 45_000) }),
  campaignManagerConcurrency: Type.Integer({ default: 8, ...integer(1, 1000) }),
  campaignManagerRate: Type.Number({
    default: 50,
    minimum: 0,
    maximum: 100_000,
    must: 'be a number between 0 and 100000',
  }),
  placeholderRole: Type.String({ default: 'Placeholder', minLength: 1, must: "be a role's name" }),
  protectedRoles: Type.Array(Type.String({ minLength: 1 }), {
    default: [],
    must: 'be a comma-separated list of role names',
  }),
  unknownRole: oneOf(['reject', 'hold'], 'reject'),
  roleCacheSeconds: Type.Integer({ default: 60, ...integer(0, 86_400) }),
  existingAccounts: oneOf(['link', 'refuse'], 'link'),
  onDeactivate: oneOf(['ignore', 'suspend'], 'ignore'),
  onUserDelete: oneOf(['delete', 'release'], 'delete'),
  deletionGuardCount: Type.Integer({ default: 500, ...integer(0, 1_000_000) }),
  deletionGuardPercent: Type.Integer({ default: 20, ...integer(0, 100) }),
  deletionGuardMinutes: Type.Integer({ default: 10, ...integer(1, 1440) }),
  reconcile: onOff(true),
  http: onOff(true),
  resyncIntervalSeconds: Type.Integer({ default: 3600, ...integer(0, LONGEST_TIMER_SECONDS) }),
  auditRetentionDays: Type.Integer({ default: 0, ...integer(0, 36_500) }),
  logLevel: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
  nodeEnv: Type.Optional(Type.String()),
  // As the OpenTelemetry specification names them. There are traces when one of the two endpoints is set.
  otelExporterOtlpEndpoint: Type.Optional(Type.String(BASE_URL)),
  otelExporterOtlpTracesEndpoint: Type.Optional(Type.String(BASE_URL)),
  otelExporterOtlpHeaders: secret(
    '^[^=,]+=[^,]*(,[^=,]+=[^,]*)*$',
    'be a comma-separated list of name=value',
  ),
  otelExporterOtlpProtocol: oneOf(['http/protobuf'], 'http/protobuf'),
  otelServiceName: Type.String({ default: 'campaign-manager-scim', minLength: 1, must: 'be a name' }),
  otelTracesSampler: oneOf(
    [
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
      'always_on',
      'always_off',
      'traceidratio',
    ],
    'parentbased_always_on',
  ),
  otelTracesSamplerArg: Type.Number({ default: 1, minimum: 0, maximum: 1, must: 'be between 0 and 1' }),
  otelSdkDisabled: oneOf(['false', 'true'], 'false'),
})

type Setting = keyof typeof Settings.properties
type DeepReadonly<T> = T extends (infer Item)[] ? readonly Item[] : T

/** What the environment asks for; an optional setting that was not given is absent. */
export type Config = {
  readonly [Key in keyof Static<typeof Settings>]: DeepReadonly<Static<typeof Settings>[Key]>
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
  const reading = readSchemaExtensionsFile(env.SCHEMA_EXTENSIONS?.trim() ?? '', readFile)
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

/** The settings that a tenant may have of its own. */
export type TenantSetting =
  | 'campaignManagerUrl'
  | 'campaignManagerToken'
  | 'placeholderRole'
  | 'protectedRoles'
  | 'unknownRole'
  | 'existingAccounts'
  | 'onDeactivate'
  | 'onUserDelete'

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

function environmentName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
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
    faults.push(
      'DATABASE_URL: must be set with NODE_ENV=production; the embedded database is for trying things',
    )
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
  return protectedRoles.some((role) => role.toLowerCase() === placeholderRole.toLowerCase())
}

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return false
  return !/[?#]/.test(text) && url.username === '' && url.password === ''
}

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  if (bits === undefined) return true
  if (!/^\d{1,3}$/.test(bits)) return false
  try {
    new BlockList().addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}
