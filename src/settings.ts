import { BlockList, isIP } from 'node:net'
import { FormatRegistry, type TSchema, Type } from '@sinclair/typebox'
import { isKeyUrl } from './access/jwks-url.ts'
import { parseEncryptionKeys } from './sealed-secret.ts'

// Every setting: its type, its default, what it means (`description`, for docs/settings.md), and what a value must be: `must`
// ends the sentence "NAME: must …" of a fault.

const integer = (minimum: number, maximum: number) =>
  ({ minimum, maximum, must: `be an integer between ${minimum} and ${maximum}` }) as const

const number = (maximum: number) => ({ minimum: 0, maximum, must: `be a number between 0 and ${maximum}` })

const oneOf = <const Words extends string[]>(
  words: Words,
  fallback: Words[number],
  options: { readonly description: string },
) =>
  Type.Union(
    words.map((word) => Type.Literal<Words[number]>(word)),
    { ...options, default: fallback, must: `be ${words.map((word) => `"${word}"`).join(' or ')}` },
  )

const onOff = (description: string) => Type.Boolean({ default: true, description, must: 'be "on" or "off"' })

const VISIBLE = '[\\x21-\\x7e]'
const VISIBLE_TEXT = {
  secret: true,
  pattern: `^${VISIBLE}+$`,
  must: 'be visible ASCII characters, without spaces',
} as const

const BASE_URL = {
  format: 'base-url',
  must: 'be a URL that starts with http:// or https://, without credentials, query, fragment or wildcard',
} as const

const LONGEST_TIMER_SECONDS = 1_209_600 // two weeks: Node's timers overflow after 24 days

FormatRegistry.Set('postgres-url', (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text))
FormatRegistry.Set('base-url', isBaseUrl)
FormatRegistry.Set('address-range', isAddressRange)
FormatRegistry.Set('key-url', (text) => isBaseUrl(text) && isKeyUrl(text))
FormatRegistry.Set('encryption-keys', (text) => parseEncryptionKeys(text) !== undefined)

const database = {
  databaseUrl: Type.Optional(
    Type.String({
      description:
        'Postgres 15 or later, and a role that owns the database, or at least may create tables in its schema `public`, to migrate. PgBouncer in transaction mode may stand in between. Without it: an embedded Postgres, for trying things',
      secret: true,
      format: 'postgres-url',
      must: 'be a URL that starts with postgres:// or postgresql://',
    }),
  ),
  dataDir: Type.String({
    description: 'The folder of the embedded Postgres',
    default: '.data',
    minLength: 1,
    must: 'be a path',
  }),
}

const network = {
  host: Type.String({
    description: 'The address to listen on. The image sets `0.0.0.0`',
    default: '127.0.0.1',
    pattern: '^[\\w.:%-]+$',
    must: 'be an address or a host name',
  }),
  port: Type.Integer({
    description: 'The port of SCIM and everything else',
    default: 8080,
    ...integer(0, 65535),
  }),
  metricsPort: Type.Optional(
    Type.Integer({
      description:
        'Serves `/metrics` here and not on `PORT`, with `/healthz` and `/readyz` on both. The only port of a process with `HTTP=off`',
      ...integer(0, 65535),
    }),
  ),
  publicUrl: Type.Optional(
    Type.String({
      description:
        'What stands before `/scim/v2` outside, a gateway’s path prefix included: the base of `meta.location` and `Location`. Without it: from the request',
      ...BASE_URL,
    }),
  ),
  trustProxy: Type.Array(Type.String({ format: 'address-range' }), {
    description: 'Whose `X-Forwarded-*` headers are believed',
    default: [],
    must: 'be a comma-separated list of IP addresses or CIDR ranges',
  }),
}

const credentials = {
  scimToken: Type.Optional(
    Type.String({
      description:
        'A bearer token of the tenant `default`. Further ones are made with `token create`. With no credential at all, a start outside production makes one and prints it once',
      secret: true,
      pattern: `^${VISIBLE}{32,}$`,
      must: 'be at least 32 visible ASCII characters, without spaces',
    }),
  ),
  scimRate: Type.Number({
    description:
      'SCIM requests a second of one tenant, per process; what exceeds them is answered 429 with `Retry-After`. Entra sends some 25. `0` = no limit',
    default: 0,
    ...number(100_000),
  }),
  encryptionKey: Type.Optional(
    Type.String({
      description:
        'Encrypts the API keys that tenants have of their own (AES-256-GCM). To change it, put the new one before the old one and run `tenant reencrypt`',
      secret: true,
      format: 'encryption-keys',
      must: 'be 32 bytes in base64 or in hexadecimal digits, or several such, separated by commas',
    }),
  ),
  // No trailing slash, as in the issuers that begin with it.
  entraAuthority: Type.String({
    description: 'Where the keys of Entra’s own tokens are looked for; another one for a national cloud',
    default: 'https://login.microsoftonline.com',
    format: 'key-url',
    must: 'be an https URL without credentials, query or fragment',
  }),
  operatorToken: Type.Optional(
    Type.String({ description: 'Accepted, and without effect yet', ...VISIBLE_TEXT }),
  ),
}

const campaignManager = {
  campaignManagerUrl: Type.Optional(
    Type.String({
      description:
        'The base URL of Campaign Manager’s API: what stands before `/users` and `/roles`, as in `https://cm.example.com/api/v1`. Without it: the bundled sandbox, for trying things',
      ...BASE_URL,
    }),
  ),
  campaignManagerToken: Type.Optional(Type.String({ description: 'Its API key', ...VISIBLE_TEXT })),
  // Below the lease of a user who is being reconciled (60 s), or a late write could meet another process's.
  campaignManagerTimeoutMs: Type.Integer({
    description: 'For one call, in milliseconds',
    default: 10_000,
    ...integer(1, 45_000),
  }),
  campaignManagerConcurrency: Type.Integer({
    description: 'Calls in flight, per process and Campaign Manager',
    default: 8,
    ...integer(1, 1000),
  }),
  campaignManagerRate: Type.Number({
    description: 'Calls a second, per process and Campaign Manager; `0` = no limit',
    default: 50,
    ...number(100_000),
  }),
}

const roles = {
  placeholderRole: Type.String({
    description: 'The role of an account that no group names yet',
    default: 'Placeholder',
    minLength: 1,
    must: "be a role's name",
  }),
  protectedRoles: Type.Array(Type.String({ minLength: 1 }), {
    description: 'Roles that are never granted and never removed; an account that holds one is never deleted',
    default: [],
    must: 'be a comma-separated list of role names',
  }),
  unknownRole: oneOf(['reject', 'hold'], 'reject', {
    description:
      'What to do with a group whose name is no role: `reject` it, or `hold` its members until the role appears',
  }),
  roleCacheSeconds: Type.Integer({
    description: 'How long the list of roles is believed',
    default: 60,
    ...integer(0, 86_400),
  }),
  existingAccounts: oneOf(['link', 'refuse'], 'link', {
    description:
      'An account that already has the user’s e-mail address: `link` it, its roles becoming foreign, or `refuse`',
  }),
  onDeactivate: oneOf(['ignore', 'suspend'], 'ignore', {
    description: '`active: false`: `ignore`, or `suspend` the account until `active: true`',
  }),
  onUserDelete: oneOf(['delete', 'release'], 'delete', {
    description:
      'The account of a deleted user, where it holds foreign roles: `delete`, or `release` it with those',
  }),
}

const reconciliation = {
  reconcile: onOff('`off` = this process only answers HTTP'),
  http: onOff('`off` = this process only reconciles'),
  resyncIntervalSeconds: Type.Integer({
    description:
      'How often every account is compared with Campaign Manager; `0` = never. Another interval counts from the next comparison on',
    default: 3600,
    ...integer(0, LONGEST_TIMER_SECONDS),
  }),
  deletionGuardCount: Type.Integer({
    description:
      'When more accounts than this, and more than `DELETION_GUARD_PERCENT`, would be deleted within `DELETION_GUARD_MINUTES`, they are disabled and held instead. `0` = off',
    default: 500,
    ...integer(0, 1_000_000),
  }),
  deletionGuardPercent: Type.Integer({
    description: 'Of the tenant’s accounts',
    default: 20,
    ...integer(0, 100),
  }),
  deletionGuardMinutes: Type.Integer({
    description: 'How far back deletions are counted',
    default: 10,
    ...integer(1, 1440),
  }),
}

const operation = {
  nodeEnv: Type.Optional(
    Type.String({
      description:
        '`production` refuses to start on the embedded database, on the sandbox, or without any credential. The image sets it',
      must: 'be a name',
    }),
  ),
  logLevel: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info', {
    description: 'What is logged, as JSON lines on stdout',
  }),
  auditRetentionDays: Type.Integer({
    description: 'After how many days entries of the audit trail are taken away; `0` = never',
    default: 0,
    ...integer(0, 36_500),
  }),
  schemaExtensions: Type.Optional(
    Type.String({
      description: 'A JSON file with [attributes of your own](scim.md#attributes-of-your-own)',
      must: 'be the path of a JSON file',
    }),
  ),
}

// As the OpenTelemetry specification names them.
const traces = {
  otelExporterOtlpEndpoint: Type.Optional(
    Type.String({
      description:
        'The OpenTelemetry collector, before `/v1/traces`. Without this and the next one there are no traces',
      ...BASE_URL,
    }),
  ),
  otelExporterOtlpTracesEndpoint: Type.Optional(
    Type.String({ description: 'The whole URL, in place of the one above', ...BASE_URL }),
  ),
  otelExporterOtlpHeaders: Type.Optional(
    Type.String({
      description: 'Headers for the collector, a key for example',
      secret: true,
      pattern: '^[^=,]+=[^,]*(,[^=,]+=[^,]*)*$',
      must: 'be a comma-separated list of name=value',
    }),
  ),
  otelExporterOtlpProtocol: oneOf(['http/protobuf'], 'http/protobuf', {
    description: 'There is only this one',
  }),
  otelServiceName: Type.String({
    description: 'What the traces call the service',
    default: 'campaign-manager-scim',
    minLength: 1,
    must: 'be a name',
  }),
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
    { description: 'Which requests are traced' },
  ),
  otelTracesSamplerArg: Type.Number({
    description: 'The share, for the samplers by ratio',
    default: 1,
    ...number(1),
  }),
  otelSdkDisabled: oneOf(['false', 'true'], 'false', { description: 'No traces, whatever else is set' }),
}

/** By the headings under which docs/settings.md has them. */
export const settingSections: Readonly<Record<string, Readonly<Record<string, TSchema>>>> = {
  Database: database,
  Network: network,
  'Credentials and limits': credentials,
  'Campaign Manager': campaignManager,
  'Roles and accounts': roles,
  Reconciliation: reconciliation,
  'Operation and protocol': operation,
  Traces: traces,
}

export const Settings = Type.Object({
  ...database,
  ...network,
  ...credentials,
  ...campaignManager,
  ...roles,
  ...reconciliation,
  ...operation,
  ...traces,
})

/** The settings that a tenant may have of its own. */
export const TENANT_SETTINGS = [
  'campaignManagerUrl',
  'campaignManagerToken',
  'placeholderRole',
  'protectedRoles',
  'unknownRole',
  'existingAccounts',
  'onDeactivate',
  'onUserDelete',
] as const satisfies readonly (keyof typeof Settings.properties)[]

export const environmentName = (setting: string): string =>
  setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text)
  // A gateway's host may be a wildcard; nobody is reached at one.
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname.includes('*')) return false
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
