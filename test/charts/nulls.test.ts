import { Ajv } from 'ajv'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { smallest } from './combinations.ts'
import { manifests, renderText, type Values } from './helm.ts'
import { schemaFaults } from './kubernetes-schema.ts'
import { readChart } from './values-table.ts'
import { configOf, workloads } from './workload.ts'

type Tree = { readonly [key: string]: unknown }

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Of every value and everything above it; without the parts of what is Kubernetes' own. */
const paths = (tree: Tree, above: readonly string[] = []): string[][] =>
  Object.entries(tree).flatMap(([key, value]) => [
    [...above, key],
    ...(isTree(value) && !/securityContext$/i.test(key) ? paths(value, [...above, key]) : []),
  ])

const isEmpty = (value: unknown): boolean =>
  value === '' || (typeof value === 'object' && Object.keys(value ?? {}).length === 0)

const at = (tree: Tree, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => (isTree(value) ? value[key] : undefined), tree)

const set = (tree: Tree, [key = '', ...rest]: readonly string[], value: unknown): Tree => {
  const below = tree[key]
  return { ...tree, [key]: rest.length === 0 ? value : set(isTree(below) ? below : {}, rest, value) }
}

const merge = (one: unknown, other: unknown): unknown =>
  isTree(one) && isTree(other)
    ? { ...one, ...Object.fromEntries(Object.keys(other).map((key) => [key, merge(one[key], other[key])])) }
    : other

const withoutNulls = (value: unknown): unknown =>
  isTree(value)
    ? Object.fromEntries(
        Object.entries(value).flatMap(([key, part]) => (part === null ? [] : [[key, withoutNulls(part)]])),
      )
    : value

const defaults = parse(readChart('values.yaml')) as Tree

/** Values with which every template renders something. */
const everything: Values = {
  ...smallest,
  mode: 'split',
  settings: { ...smallest.settings, otelExporterOtlpEndpoint: 'http://collector.monitoring.svc:4318' },
  schemaExtensions: { existingConfigMap: 'attributes' },
  api: { autoscaling: { enabled: true } },
  ingress: { enabled: true, hosts: ['scim.example.com'] },
  httpRoute: { enabled: true, parentRefs: [{ name: 'public' }] },
  serviceMonitor: { enabled: true },
  prometheusRule: { enabled: true },
  grafanaDashboard: { enabled: true },
}

// As Helm does it: keys whose value is null are taken away before the schema is asked.
const knownToSchema = new Ajv({ allErrors: true }).compile(JSON.parse(readChart('values.schema.json')))

function missing(values: Values): string[] {
  knownToSchema(withoutNulls(merge(defaults, values)))
  return (knownToSchema.errors ?? []).map(({ instancePath, params }) =>
    `${instancePath}/${params.missingProperty}`.slice(1).replaceAll('/', '.'),
  )
}

function outcome(t: Test, values: Values): { text: string; refusal: string } {
  try {
    return { text: renderText(t, values), refusal: '' }
  } catch (error) {
    return { text: '', refusal: (error as Error).message }
  }
}

t.test('null in place of a value is as an empty one, or the default, or refused by name', async (t) => {
  t.same(missing(everything), [])
  const whole = outcome(t, everything)
  for (const path of paths(defaults)) {
    const name = path.join('.')
    const values = set(everything, path, null)
    const lacking = missing(values)
    if (lacking.length > 0) {
      t.same(lacking, [name])
      continue
    }
    const { text, refusal } = outcome(t, values)
    if (refusal) {
      t.match(refusal, new RegExp(`execution error at .*: .*${path.at(-1)}`), name)
      continue
    }
    if (at(everything, path) === undefined && isEmpty(at(defaults, path))) {
      t.ok(text === whole.text, name)
    } else {
      const changed = text.split(/^---$/m).filter((part) => !whole.text.includes(part))
      const objects = manifests(changed.join('---'))
      const { api } = workloads(objects)
      t.same(objects.flatMap(schemaFaults), [], name)
      if (api) t.ok(configOf(api), name)
    }
  }
})
