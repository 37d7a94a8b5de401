import t from 'tap'
import { ConfigError, loadConfig } from '../src/config.ts'

type Environment = Record<string, string | undefined>

const noFiles = () => {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
}

const token = 'abcdefghijklmnopqrstuvwxyz0123456789'

function faultsOf(env: Environment, readFile: (path: string) => string = noFiles): readonly string[] {
  try {
    loadConfig(env, readFile)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

t.test('an empty environment gives the documented defaults', async (t) => {
  t.strictSame(loadConfig({}, noFiles), {
    dataDir: '.data',
    host: '127.0.0.1',
    port: 8080,
    trustProxy: [],
    scimRate: 0,
    entraAuthority: 'https://login.microsoftonline.com',
    campaignManagerTimeoutMs: 10_000,
    campaignManagerConcurrency: 8,
    campaignManagerRate: 50,
    placeholderRole: 'Placeholder',
    protectedRoles: [],
    unknownRole: 'reject',
    roleCacheSeconds: 60,
    existingAccounts: 'link',
    onDeactivate: 'ignore',
    onUserDelete: 'delete',
    deletionGuardCount: 500,
    deletionGuardPercent: 20,
    deletionGuardMinutes: 10,
    reconcile: true,
    http: true,
    resyncIntervalSeconds: 3600,
    auditRetentionDays: 0,
    logLevel: 'info',
    otelExporterOtlpProtocol: 'http/protobuf',
    otelServiceName: 'campaign-manager-scim',
    otelTracesSampler: 'parentbased_always_on',
    otelTracesSamplerArg: 1,
    otelSdkDisabled: 'false',
    production: false,
    schemaExtensions: [],
  })
})

t.test('every setting is read', async (t) => {
  const env = {
    DATABASE_URL: 'postgresql://scim:pw@db.example/scim?sslmode=require',
    DATA_DIR: '/var/lib/scim',
    HOST: '::',
    PORT: '0',
    METRICS_PORT: '9090',
    PUBLIC_URL: 'https://api.example.com/identity/',
    TRUST_PROXY: '10.0.0.0/8, 192.0.2.7 ,2001:db8::/32',
    SCIM_TOKEN: token,
    SCIM_RATE: '25',
    ENTRA_AUTHORITY: 'https://login.microsoftonline.us/',
    OPERATOR_TOKEN: 'operator',
    CAMPAIGN_MANAGER_URL: 'http://campaign-manager.internal:8000/api//',
    CAMPAIGN_MANAGER_TOKEN: 'key',
    CAMPAIGN_MANAGER_TIMEOUT_MS: '2500',
    CAMPAIGN_MANAGER_CONCURRENCY: '1',
    CAMPAIGN_MANAGER_RATE: '0.5',
    PLACEHOLDER_ROLE: 'No access yet',
    PROTECTED_ROLES: 'super_admin, Owner ,',
    UNKNOWN_ROLE: 'hold',
    ROLE_CACHE_SECONDS: '0',
    EXISTING_ACCOUNTS: 'refuse',
    ON_DEACTIVATE: 'suspend',
    ON_USER_DELETE: 'release',
    DELETION_GUARD_COUNT: '0',
    DELETION_GUARD_PERCENT: '100',
    DELETION_GUARD_MINUTES: '1440',
    RECONCILE: 'off',
    HTTP: 'on',
    RESYNC_INTERVAL_SECONDS: '0',
    AUDIT_RETENTION_DAYS: '400',
    LOG_LEVEL: 'debug',
    NODE_ENV: 'production',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.internal:4318/',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example.com/v1/traces',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=a,x-other=b',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_SERVICE_NAME: 'scim',
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_SDK_DISABLED: 'true',
  }
  t.strictSame(loadConfig(env, noFiles), {
    databaseUrl: 'postgresql://scim:pw@db.example/scim?sslmode=require',
    dataDir: '/var/lib/scim',
    host: '::',
    port: 0,
    metricsPort: 9090,
    publicUrl: 'https://api.example.com/identity',
    trustProxy: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'],
    scimToken: token,
    scimRate: 25,
    entraAuthority: 'https://login.microsoftonline.us',
    operatorToken: 'operator',
    campaignManagerUrl: 'http://campaign-manager.internal:8000/api',
    campaignManagerToken: 'key',
    campaignManagerTimeoutMs: 2500,
    campaignManagerConcurrency: 1,
    campaignManagerRate: 0.5,
    placeholderRole: 'No access yet',
    protectedRoles: ['super_admin', 'Owner'],
    unknownRole: 'hold',
    roleCacheSeconds: 0,
    existingAccounts: 'refuse',
    onDeactivate: 'suspend',
    onUserDelete: 'release',
    deletionGuardCount: 0,
    deletionGuardPercent: 100,
    deletionGuardMinutes: 1440,
    reconcile: false,
    http: true,
    resyncIntervalSeconds: 0,
    auditRetentionDays: 400,
    logLevel: 'debug',
    nodeEnv: 'production',
    otelExporterOtlpEndpoint: 'http://collector.internal:4318',
    otelExporterOtlpTracesEndpoint: 'https://traces.example.com/v1/traces',
    otelExporterOtlpHeaders: 'x-api-key=a,x-other=b',
    otelExporterOtlpProtocol: 'http/protobuf',
    otelServiceName: 'scim',
    otelTracesSampler: 'traceidratio',
    otelTracesSamplerArg: 0.25,
    otelSdkDisabled: 'true',
    production: true,
    schemaExtensions: [],
  })
})

t.test('an empty value counts as not set', async (t) => {
  const config = loadConfig({ PORT: '', METRICS_PORT: '', SCIM_TOKEN: '', SCIM_TOKEN_FILE: '' }, noFiles)
  t.equal(config.port, 8080)
  t.notOk('metricsPort' in config)
  t.notOk('scimToken' in config)
})

t.test('the settings cannot be changed', async (t) => {
  const config = loadConfig({ PROTECTED_ROLES: 'a' }, noFiles)
  t.throws(() => Object.assign(config, { port: 1 }), TypeError)
  t.throws(() => (config.protectedRoles as string[]).push('b'), TypeError)
})

const faultyValues: readonly (readonly [name: string, value: string, fault: string])[] = [
  ['PORT', 'abc', 'PORT: must be an integer between 0 and 65535, not "abc"'],
  ['PORT', '65536', 'PORT: must be an integer between 0 and 65535, not "65536"'],
  ['PORT', '80.5', 'PORT: must be an integer between 0 and 65535, not "80.5"'],
  ['PORT', '0x50', 'PORT: must be an integer between 0 and 65535, not "0x50"'],
  ['METRICS_PORT', '-1', 'METRICS_PORT: must be an integer between 0 and 65535, not "-1"'],
  ['METRICS_PORT', '8080', 'METRICS_PORT: must not be the same as PORT (8080)'],
  ['HOST', 'http://a', 'HOST: must be an address or a host name, not "http://a"'],
  [
    'ENTRA_AUTHORITY',
    'http://login.example',
    'ENTRA_AUTHORITY: must be an https URL without credentials, query or fragment, not "http://login.example"',
  ],
  [
    'PUBLIC_URL',
    'ftp://a',
    'PUBLIC_URL: must be a URL that starts with http:// or https://, without credentials, query, fragment or wildcard, not "ftp://a"',
  ],
  [
    'PUBLIC_URL',
    'https://a/b?c',
    'PUBLIC_URL: must be a URL that starts with http:// or https://, without credentials, query, fragment or wildcard, not "https://a/b?c"',
  ],
  [
    'PUBLIC_URL',
    'https://a/#',
    'PUBLIC_URL: must be a URL that starts with http:// or https://, without credentials, query, fragment or wildcard, not "https://a/#"',
  ],
  [
    'PUBLIC_URL',
    'https://*.example.com',
    'PUBLIC_URL: must be a URL that starts with http:// or https://, without credentials, query, fragment or wildcard, not "https://*.example.com"',
  ],
  [
    'CAMPAIGN_MANAGER_URL',
    'campaigns',
    'CAMPAIGN_MANAGER_URL: must be a URL that starts with http:// or https://, without credentials, query, fragment or wildcard, not "campaigns"',
  ],
  [
    'TRUST_PROXY',
    '10.0.0.0/33',
    'TRUST_PROXY: must be a comma-separated list of IP addresses or CIDR ranges, not "10.0.0.0/33"',
  ],
  [
    'TRUST_PROXY',
    '10.0.0.1, proxy',
    'TRUST_PROXY: must be a comma-separated list of IP addresses or CIDR ranges, not "10.0.0.1, proxy"',
  ],
  [
    'CAMPAIGN_MANAGER_TIMEOUT_MS',
    '0',
    'CAMPAIGN_MANAGER_TIMEOUT_MS: must be an integer between 1 and 45000, not "0"',
  ],
  [
    'CAMPAIGN_MANAGER_CONCURRENCY',
    '0',
    'CAMPAIGN_MANAGER_CONCURRENCY: must be an integer between 1 and 1000, not "0"',
  ],
  [
    'CAMPAIGN_MANAGER_RATE',
    'fast',
    'CAMPAIGN_MANAGER_RATE: must be a number between 0 and 100000, not "fast"',
  ],
  ['PLACEHOLDER_ROLE', ' ', 'PLACEHOLDER_ROLE: must be a role\'s name, not " "'],
  [
    'PROTECTED_ROLES',
    'Owner,PLACEHOLDER',
    'PROTECTED_ROLES: must not contain PLACEHOLDER_ROLE ("Placeholder")',
  ],
  ['UNKNOWN_ROLE', 'Hold', 'UNKNOWN_ROLE: must be "reject" or "hold", not "Hold"'],
  ['ROLE_CACHE_SECONDS', '1h', 'ROLE_CACHE_SECONDS: must be an integer between 0 and 86400, not "1h"'],
  ['EXISTING_ACCOUNTS', 'adopt', 'EXISTING_ACCOUNTS: must be "link" or "refuse", not "adopt"'],
  ['ON_DEACTIVATE', 'true', 'ON_DEACTIVATE: must be "ignore" or "suspend", not "true"'],
  ['ON_USER_DELETE', 'keep', 'ON_USER_DELETE: must be "delete" or "release", not "keep"'],
  ['DELETION_GUARD_COUNT', '-1', 'DELETION_GUARD_COUNT: must be an integer between 0 and 1000000, not "-1"'],
  [
    'DELETION_GUARD_PERCENT',
    '101',
    'DELETION_GUARD_PERCENT: must be an integer between 0 and 100, not "101"',
  ],
  ['DELETION_GUARD_MINUTES', '0', 'DELETION_GUARD_MINUTES: must be an integer between 1 and 1440, not "0"'],
  ['RECONCILE', 'false', 'RECONCILE: must be "on" or "off", not "false"'],
  ['HTTP', '0', 'HTTP: must be "on" or "off", not "0"'],
  [
    'RESYNC_INTERVAL_SECONDS',
    '9999999',
    'RESYNC_INTERVAL_SECONDS: must be an integer between 0 and 1209600, not "9999999"',
  ],
  [
    'LOG_LEVEL',
    'verbose',
    'LOG_LEVEL: must be "fatal" or "error" or "warn" or "info" or "debug" or "trace" or "silent", not "verbose"',
  ],
]

t.test('a wrong value is named with what it should be', async (t) => {
  for (const [name, value, fault] of faultyValues) t.strictSame(faultsOf({ [name]: value }), [fault], fault)
})

t.test('every fault is reported at once', async (t) => {
  const env = Object.fromEntries(faultyValues.map(([name, value]) => [name, value]))
  const named = new Set(faultsOf(env).map((fault) => fault.split(':')[0]))
  for (const name of new Set(faultyValues.map(([name]) => name))) {
    // These two compare with settings that are wrong here themselves.
    if (name !== 'PROTECTED_ROLES' && name !== 'METRICS_PORT') t.ok(named.has(name), name)
  }
  t.throws(() => loadConfig({ PORT: 'x', HTTP: 'x' }, noFiles), {
    name: 'ConfigError',
    message: 'PORT: must be an integer between 0 and 65535, not "x"\nHTTP: must be "on" or "off", not "x"',
  })
})

t.test('settings that are wrong together', async (t) => {
  t.strictSame(faultsOf({ RECONCILE: 'off', HTTP: 'off' }), [
    'RECONCILE: must not be "off" together with HTTP, or the process has nothing to do',
  ])
  t.strictSame(faultsOf({ PORT: '0', METRICS_PORT: '0' }), [], 'two ports of the system’s choice differ')
})

t.test('production has neither the sandbox nor the embedded database', async (t) => {
  t.strictSame(faultsOf({ NODE_ENV: 'production' }), [
    'DATABASE_URL: must be set with NODE_ENV=production; the embedded database is for trying things',
    'CAMPAIGN_MANAGER_URL: must be set with NODE_ENV=production; the sandbox is for trying things',
  ])
  t.strictSame(
    faultsOf({
      NODE_ENV: 'production',
      DATABASE_URL: 'mysql://db',
      CAMPAIGN_MANAGER_URL: 'https://cm.example',
    }),
    ['DATABASE_URL: must be a URL that starts with postgres:// or postgresql://'],
    'a wrong value is one fault, not two',
  )
})

t.test('a fault never shows a secret', async (t) => {
  const secrets = {
    DATABASE_URL: 'mysql://scim:hunter2@db/scim',
    SCIM_TOKEN: 'hunter2',
    OPERATOR_TOKEN: 'hunter2 hunter2',
    CAMPAIGN_MANAGER_TOKEN: 'hünter2 hunter2',
    CAMPAIGN_MANAGER_URL: 'https://user:hunter2@cm.example',
  }
  const faults = faultsOf(secrets)
  t.equal(faults.length, 5)
  t.notMatch(faults.join('\n'), /h.nter2/)
  t.equal(faults[1], 'SCIM_TOKEN: must be at least 32 visible ASCII characters, without spaces')
})

t.test('a secret from a file', async (t) => {
  const files: Record<string, string> = {
    '/run/secrets/database': 'postgres://scim:pw@db/scim\n',
    '/run/secrets/scim': `${token}\r\n`,
    '/run/secrets/operator': 'operator',
    '/run/secrets/key': 'key\n',
    '/run/secrets/empty': '\n',
  }
  const readFile = (path: string) => files[path] ?? noFiles()

  t.test('is read without its closing line break', async (t) => {
    const config = loadConfig(
      {
        DATABASE_URL_FILE: '/run/secrets/database',
        SCIM_TOKEN_FILE: '/run/secrets/scim',
        OPERATOR_TOKEN_FILE: '/run/secrets/operator',
        CAMPAIGN_MANAGER_TOKEN_FILE: '/run/secrets/key',
      },
      readFile,
    )
    t.match(config, {
      databaseUrl: 'postgres://scim:pw@db/scim',
      scimToken: token,
      operatorToken: 'operator',
      campaignManagerToken: 'key',
    })
  })

  t.test('excludes the variable of the same name', async (t) => {
    t.strictSame(faultsOf({ SCIM_TOKEN: token, SCIM_TOKEN_FILE: '/run/secrets/scim' }, readFile), [
      'SCIM_TOKEN: must not be set together with SCIM_TOKEN_FILE',
    ])
  })

  t.test('must be there and hold something', async (t) => {
    t.strictSame(
      faultsOf({ SCIM_TOKEN_FILE: '/nowhere', OPERATOR_TOKEN_FILE: '/run/secrets/empty' }, readFile),
      [
        'SCIM_TOKEN_FILE: cannot read the file /nowhere (ENOENT)',
        'OPERATOR_TOKEN_FILE: the file /run/secrets/empty is empty',
      ],
    )
  })

  t.test('is for secrets alone', async (t) => {
    t.equal(loadConfig({ PORT_FILE: '/run/secrets/key' }, readFile).port, 8080)
  })
})

t.test('schemas of the operator’s own', async (t) => {
  const schema = { id: 'urn:acme:scim:User', name: 'Acme', attributes: [{ name: 'tag' }] }
  const files: Record<string, string> = {
    '/etc/good.json': `\uFEFF${JSON.stringify([{ resourceType: 'User', schema }])}`,
    '/etc/faulty.json': JSON.stringify([
      { resourceType: 'Role', schema: { ...schema, attributes: [{ name: 'tag', returned: 'never' }] } },
    ]),
    '/etc/broken.json': '[\n{,\n]',
  }
  const readFile = (path: string) => files[path] ?? noFiles()

  t.test('are read from a file', async (t) => {
    const { schemaExtensions } = loadConfig({ SCHEMA_EXTENSIONS: ' /etc/good.json ' }, readFile)
    t.match(schemaExtensions, [
      { resourceType: 'User', required: false, schema: { id: schema.id, attributes: [{ type: 'string' }] } },
    ])
    t.throws(() => (schemaExtensions as unknown[]).push(1), TypeError)
    t.strictSame(loadConfig({ SCHEMA_EXTENSIONS: '' }, readFile).schemaExtensions, [])
  })

  t.test('stop the start together with other faults', async (t) => {
    t.strictSame(faultsOf({ PORT: 'x', SCHEMA_EXTENSIONS: '/etc/faulty.json' }, readFile), [
      'PORT: must be an integer between 0 and 65535, not "x"',
      'SCHEMA_EXTENSIONS: /etc/faulty.json: [0].resourceType: must be one of "User", "Group", not "Role"',
      'SCHEMA_EXTENSIONS: /etc/faulty.json: [0].schema.attributes[0].returned: must not be "never": nothing here could use the value',
    ])
    t.strictSame(faultsOf({ SCHEMA_EXTENSIONS: '/nowhere' }, readFile), [
      'SCHEMA_EXTENSIONS: /nowhere: cannot be read (ENOENT)',
    ])
    t.match(faultsOf({ SCHEMA_EXTENSIONS: '/etc/broken.json' }, readFile), [
      /^SCHEMA_EXTENSIONS: \/etc\/broken\.json: is not JSON \(.+\)$/,
    ])
  })
})
