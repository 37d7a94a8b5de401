import { spawnSync } from 'node:child_process'
import type { IConfigMap } from 'kubernetes-models/v1'
import t from 'tap'
import { combinations } from './combinations.ts'
import { lint, type Manifest, one, render, renderText } from './helm.ts'
import { schemaFaults } from './kubernetes-schema.ts'
import { restrictedFaults } from './pod-security.ts'
import { configOf, workloads } from './workload.ts'

const isExtensions = (kind: string, name: string) =>
  kind === 'ConfigMap' && name.endsWith('-schema-extensions')

for (const [name, values] of Object.entries(combinations)) {
  t.test(`${name}: is valid, restricted, and starts the service`, async (t) => {
    const objects = render(t, values)
    t.same(objects.flatMap(schemaFaults), [], "Kubernetes' schemas")

    const running = workloads(objects)
    t.same(Object.values(running).flatMap(restrictedFaults), [], 'Pod Security Standard "restricted"')

    const extensions = objects.some(({ kind, metadata }) => isExtensions(kind, metadata.name))
      ? Object.values(one<IConfigMap>(objects, 'ConfigMap', '-schema-extensions').data ?? {})[0]
      : '[]'
    for (const component of ['api', 'reconciler']) {
      const workload = running[component]
      if (workload) t.ok(configOf(workload, extensions), `the settings of ${component}`)
    }

    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    t.same(names, [...new Set(names)], 'no object is there twice')
    t.same(
      objects.filter(({ metadata }) => metadata.name.length > 63),
      [],
      'names fit into DNS',
    )
  })
}

t.test('lint finds nothing', async (t) => {
  const { status, stdout, stderr } = lint(t, combinations['the least'])
  t.equal(status, 0, stdout + stderr)
})

t.test('an unknown field is a fault, and a wrong type', async (t) => {
  const [service] = render(t, combinations['the least']).filter(({ kind }) => kind === 'Service')
  const wrong = { ...service, spec: { type: 'ClusterIP', prots: [] } } as unknown as Manifest
  t.same(schemaFaults(wrong), ['no schema knows /spec/prots'])
  const mistyped = { ...service, spec: { ports: [{ port: 'eighty' }] } } as unknown as Manifest
  t.match(schemaFaults(mistyped), [/port/])
})

const kubectl = spawnSync('kubectl', ['version', '--client'])

t.test(
  'kubectl reads every object that it knows without a cluster',
  { skip: kubectl.status !== 0 && 'there is no kubectl' },
  async (t) => {
    const text = renderText(t, combinations.split)
    const args = ['annotate', '--local', '-f', '-', 'read=yes', '-o', 'name']
    const { status, stdout, stderr } = spawnSync('kubectl', args, { input: text, encoding: 'utf8' })
    t.equal(status, 0, stderr)
    t.equal(stdout.trim().split('\n').length, render(t, combinations.split).length)
  },
)
