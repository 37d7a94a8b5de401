import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import { combinations, smallest } from './combinations.ts'
import { CHART, helm, manifests, notes, render } from './helm.ts'
import { documentedValues, readChart, withTable } from './values-table.ts'
import { configOf, environment, workload } from './workload.ts'

type Tree = { readonly [key: string]: unknown }

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0

const leaves = (tree: Tree, path = ''): string[] =>
  Object.entries(tree).flatMap(([key, value]) =>
    isTree(value) ? leaves(value, `${path}${key}.`) : [`${path}${key}`],
  )

const values = parse(readChart('values.yaml')) as Tree

t.test("the README's table is that of values.yaml", async (t) => {
  const readme = readChart('README.md')
  t.equal(readme, withTable(readme, readChart('values.yaml')), 'run: node test/charts/values-table.ts')
})

t.test('every value is described', async (t) => {
  const described = documentedValues(readChart('values.yaml')).map(({ path }) => path)
  const silent = leaves(values).filter((leaf) => !described.some((path) => `${leaf}.`.startsWith(`${path}.`)))
  t.same(silent, [])
})

interface Schema {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: unknown
}

t.test('the schema knows every value and no other, and is closed wherever it lists keys', async (t) => {
  const root = JSON.parse(readChart('values.schema.json')) as Schema & {
    definitions: Readonly<Record<string, Schema>>
  }
  const resolve = (schema: Schema): Schema =>
    schema.$ref ? (root.definitions[schema.$ref.replace('#/definitions/', '')] ?? schema) : schema
  const compare = (schema: Schema, tree: Tree, path: string): void => {
    const { properties, additionalProperties } = resolve(schema)
    if (!properties) return
    const others = path === '' ? ['global', 'enabled'] : ['claims']
    const keys = Object.keys(properties).filter((key) => !others.includes(key))
    t.same(keys.sort(), Object.keys(tree).sort(), path || 'root')
    t.equal(additionalProperties, false, `${path || 'root'} is closed`)
    for (const [key, value] of Object.entries(tree)) {
      if (isTree(value)) compare(properties[key] ?? {}, value, `${path}/${key}`)
    }
  }
  compare(root, values, '')
})

/** Every variable that the service reads, without the NAME_FILE of secrets. */
function serviceVariables(): { settings: string[]; secrets: string[] } {
  const read = new Set<string>()
  const watched = new Proxy<Record<string, string>>(
    {},
    {
      get: (_target, name) => {
        read.add(String(name))
        return undefined
      },
    },
  )
  loadConfig(watched, () => '')
  const files = [...read].filter((name) => name.endsWith('_FILE'))
  const secrets = files.map((name) => name.replace(/_FILE$/, ''))
  return { settings: [...read].filter((name) => !files.includes(name) && !secrets.includes(name)), secrets }
}

const variable = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

t.test('every setting of the service can be reached through values', async (t) => {
  const { settings, secrets } = serviceVariables()
  // The embedded database is not in the image; the others are said by values of another name.
  const otherwise = [
    'DATA_DIR',
    'HOST',
    'PORT',
    'METRICS_PORT',
    'HTTP',
    'RECONCILE',
    'NODE_ENV',
    'SCHEMA_EXTENSIONS',
    // Has one value only.
    'OTEL_EXPORTER_OTLP_PROTOCOL',
  ]
  const reached = Object.keys(values.settings as Tree).map(variable)
  t.same(
    settings.filter((name) => !otherwise.includes(name)).sort(),
    reached.sort(),
    'settings of values.yaml and of src/config.ts',
  )
  t.same(
    secrets.sort(),
    Object.keys(values.secrets as Tree)
      .map(variable)
      .sort(),
    'secrets',
  )
})

t.test("the chart's defaults are the service's", async (t) => {
  const config = configOf(workload(render(t, smallest), 'api'))
  const ownConfig = loadConfig({}, () => '')
  const own = [
    'host',
    'metricsPort',
    'nodeEnv',
    'production',
    'databaseUrl',
    'scimToken',
    'campaignManagerUrl',
    'campaignManagerToken',
  ]
  const rest = (all: object) => Object.fromEntries(Object.entries(all).filter(([key]) => !own.includes(key)))
  t.same(rest(config), rest(ownConfig))
})

t.test('what values say is what the service understands', async (t) => {
  const changed = combinations['every setting changed']
  const config = configOf(workload(render(t, changed), 'api'))
  t.match(config, {
    ...changed.settings,
    otelSdkDisabled: 'true',
    publicUrl: 'https://gateway.example.com/provisioning',
    campaignManagerRate: 0.5,
    deletionGuardCount: 1_000_000,
    protectedRoles: ['Owner', 'Break "glass"'],
  })
})

t.test('the public address is that of the Ingress or the route, unless values say otherwise', async (t) => {
  const publicUrl = (values: Tree) => environment(workload(render(t, values), 'api')).PUBLIC_URL
  t.equal(publicUrl(smallest), undefined)
  t.equal(publicUrl(combinations['an Ingress with TLS']), 'https://scim.example.com')
  t.equal(publicUrl(combinations['an HTTPRoute with a prefix']), 'https://gateway.example.com/provisioning')
  const route = { enabled: true, parentRefs: [{ name: 'public' }], hostnames: ['route.example.com'] }
  t.equal(publicUrl({ ...smallest, httpRoute: route }), 'https://route.example.com')
  const wildcard = { enabled: true, hosts: ['*.example.com'], tlsSecret: 'scim-tls' }
  t.equal(publicUrl({ ...smallest, ingress: wildcard }), undefined)
  const hosts = ['*.example.com', 'scim.example.org', 'scim.example.net']
  t.equal(publicUrl({ ...smallest, ingress: { ...wildcard, hosts } }), 'https://scim.example.org')
  t.equal(publicUrl({ ...smallest, ingress: wildcard, httpRoute: route }), 'https://route.example.com')
})

t.test('attributes of their own reach the service, and restart it when they change', async (t) => {
  const own = combinations['attributes of their own']
  const objects = render(t, own)
  const text = JSON.stringify(own.schemaExtensions.declarations)
  const config = configOf(workload(objects, 'reconciler'), text)
  t.equal(config.schemaExtensions.length, 1)
  const checksum = (values: Tree) =>
    workload(render(t, values), 'api').annotations['checksum/schema-extensions']
  const [declaration] = own.schemaExtensions.declarations
  const other = { ...own, schemaExtensions: { declarations: [{ ...declaration, required: true }] } }
  t.match(checksum(own), /^[0-9a-f]{64}$/)
  t.not(checksum(own), checksum(other))
})

t.test('another chart can depend on it, under a condition', async (t) => {
  const kinds = (enabled: boolean) => {
    const dependency = {
      name: 'campaign-manager-scim',
      version: '*',
      condition: 'campaign-manager-scim.enabled',
    }
    const umbrella = { apiVersion: 'v2', name: 'umbrella', version: '1.0.0', dependencies: [dependency] }
    const chart = t.testdir({
      'Chart.yaml': JSON.stringify(umbrella),
      charts: { 'campaign-manager-scim': t.fixture('symlink', CHART) },
      'values.yaml': JSON.stringify({ 'campaign-manager-scim': { ...smallest, enabled } }),
    })
    return manifests(helm(['template', 'scim', chart]).stdout).map(({ kind }) => kind)
  }
  t.ok(kinds(true).includes('Deployment'))
  t.same(kinds(false), [])
})

t.test("version and the service's version are one", async (t) => {
  const chart = parse(readChart('Chart.yaml')) as Tree
  const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
  t.equal(chart.appVersion, manifest.version)
  t.equal(workload(render(t, smallest), 'api').container.image, `campaign-manager-scim:${manifest.version}`)
})

t.test('the smallest values of the README install it', async (t) => {
  const [, block = ''] = /<!-- smallest -->\n```yaml\n([\s\S]*?)```/.exec(readChart('README.md')) ?? []
  const example = parse(block) as Tree
  t.ok(configOf(workload(render(t, example), 'api')))
  t.match(notes(t, example), 'https://scim.example.com/scim/v2?aadOptscim062020')
})

t.test('the notes say what to paste into Entra', async (t) => {
  const text = notes(t, { ...combinations['an Ingress with TLS'], mode: 'split' })
  t.match(text, /Tenant URL +https:\/\/scim\.example\.com\/scim\/v2\?aadOptscim062020\n/)
  t.match(
    text,
    'kubectl exec --namespace scim deploy/scim-campaign-manager-scim -- node src/main.ts token create --name entra --expires-in-days 365\n',
  )
  t.match(
    text,
    `kubectl get secret --namespace scim scim -o go-template='{{ index .data "SCIM_TOKEN" | base64decode }}'\n`,
  )
  t.match(text, '-- node src/main.ts client create --name entra\n')
  t.match(text, 'https://scim.example.com/oauth2/token')
  t.match(text, 'objectId to externalId')
  t.match(text, 'rollout status --namespace scim deploy/scim-campaign-manager-scim-reconciler\n')
  t.notMatch(text, 'WARNING')
})

t.test('the notes warn of what Entra cannot reach', async (t) => {
  const sandbox = notes(t, combinations['the sandbox, outside production'])
  t.match(sandbox, 'https://<your host>/scim/v2?aadOptscim062020')
  t.match(sandbox, 'WARNING: nothing here says at which address Entra finds the service.')
  t.match(sandbox, 'WARNING: this runs on the bundled sandbox')
  t.notMatch(sandbox, 'kubectl get secret', 'there is no Secret with a token')
  const plain = { ...smallest, settings: { ...smallest.settings, publicUrl: 'http://scim.example.com' } }
  t.match(notes(t, plain), 'WARNING: http://scim.example.com is not HTTPS')
  const wildcard = { enabled: true, hosts: ['*.example.com'], tlsSecret: 'scim-tls' }
  const anyHost = notes(t, { ...smallest, ingress: wildcard })
  t.match(anyHost, 'https://<your host>/scim/v2?aadOptscim062020')
  t.match(anyHost, 'WARNING: nothing here says at which address')
  t.notMatch(anyHost, '*')
  const withoutTls = { ...smallest, ingress: { enabled: true, hosts: ['scim.example.com'] } }
  t.match(notes(t, withoutTls), 'WARNING: the Ingress has no ingress.tlsSecret.')
})
