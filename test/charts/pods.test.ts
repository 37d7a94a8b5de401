import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IJob } from 'kubernetes-models/batch/v1'
import type { IService, IServiceAccount } from 'kubernetes-models/v1'
import t from 'tap'
import { callCommand } from '../support/command.ts'
import { startTestService } from '../support/service.ts'
import { combinations, smallest } from './combinations.ts'
import { type Manifest, one, render, type Values } from './helm.ts'
import { environment, mountedFile, workload, workloads } from './workload.ts'

t.test('security: nobody is root, nothing is writable but /tmp, no token of Kubernetes', async (t) => {
  const objects = render(t, combinations.split)
  const running = workloads(objects)
  t.same(Object.keys(running).sort(), ['api', 'migration', 'reconciler'])
  for (const [component, { pod, container }] of Object.entries(running)) {
    t.equal(pod.securityContext?.runAsUser, 65532, component)
    t.equal(pod.securityContext?.runAsGroup, 65532, component)
    t.equal(container.securityContext?.readOnlyRootFilesystem, true, component)
    t.equal(pod.automountServiceAccountToken, false, component)
    t.equal(pod.enableServiceLinks, false, component)
    const writable = container.volumeMounts?.filter(({ readOnly }) => readOnly !== true)
    t.same(
      writable?.map(({ mountPath }) => mountPath),
      ['/tmp'],
      component,
    )
    t.same(pod.volumes?.find(({ name }) => name === 'tmp')?.emptyDir, { sizeLimit: '64Mi' }, component)
  }
  const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount') as unknown as IServiceAccount[]
  t.same(
    accounts.map((account) => account.automountServiceAccountToken),
    [false, false],
  )
  t.same(
    objects.filter(({ kind }) => /Role|Secret/.test(kind)),
    [],
    'no rights, and no Secret of its own',
  )
})

t.test("security: OpenShift's user ids can be left to it", async (t) => {
  const { pod } = workload(render(t, combinations["OpenShift's own user ids and DNS"]), 'api')
  t.same(Object.keys(pod.securityContext ?? {}).sort(), [
    'fsGroupChangePolicy',
    'runAsNonRoot',
    'seccompProfile',
  ])
})

t.test('secrets: each is a file out of an existing Secret, for those who need it', async (t) => {
  const running = workloads(render(t, combinations['every secret under a name of its own']))
  const given = (component: string) => {
    const part = running[component]
    if (!part) return {}
    const files = Object.entries(environment(part)).filter(([name]) => name.endsWith('_FILE'))
    return Object.fromEntries(
      files.map(([name, path]) => {
        const file = mountedFile(part, path)
        const sources = file?.volume.projected?.sources ?? []
        const source = sources.find(({ secret }) => secret?.items?.some((item) => item.path === file?.path))
        return [name, `${source?.secret?.name}/${source?.secret?.items?.[0]?.key}`]
      }),
    )
  }
  const database = { DATABASE_URL_FILE: 'secret-of-databaseurl/key.of_databaseUrl' }
  const delivery = {
    ...database,
    CAMPAIGN_MANAGER_TOKEN_FILE: 'secret-of-campaignmanagertoken/key.of_campaignManagerToken',
    ENCRYPTION_KEY_FILE: 'secret-of-encryptionkey/key.of_encryptionKey',
    OTEL_EXPORTER_OTLP_HEADERS_FILE: 'secret-of-otelexporterotlpheaders/key.of_otelExporterOtlpHeaders',
  }
  t.same(given('migration'), database)
  t.same(given('reconciler'), delivery)
  t.same(given('api'), {
    ...delivery,
    SCIM_TOKEN_FILE: 'secret-of-scimtoken/key.of_scimToken',
    OPERATOR_TOKEN_FILE: 'secret-of-operatortoken/key.of_operatorToken',
  })
  for (const part of Object.values(running)) {
    t.equal(part.pod.volumes?.find(({ name }) => name === 'secrets')?.projected?.defaultMode, 0o440)
    t.same(
      part.container.env?.filter(({ valueFrom }) => valueFrom?.secretKeyRef),
      [],
      'none in the environment',
    )
  }
})

t.test('modes: who answers HTTP and who reconciles', async (t) => {
  const duties = (values: Values) =>
    Object.fromEntries(
      Object.entries(workloads(render(t, values)))
        .filter(([component]) => component !== 'migration')
        .map(([component, part]) => {
          const { HTTP, RECONCILE } = environment(part)
          return [component, `HTTP=${HTTP} RECONCILE=${RECONCILE}`]
        }),
    )
  t.same(duties(smallest), { api: 'HTTP=on RECONCILE=on' })
  t.same(duties(combinations.split), { api: 'HTTP=on RECONCILE=off', reconciler: 'HTTP=off RECONCILE=on' })
})

t.test('probes: each asks for something that its process serves', async (t) => {
  const running = workloads(render(t, combinations.split))
  const probes = (component: string) => {
    const { startupProbe, livenessProbe, readinessProbe } = running[component]?.container ?? {}
    return { startup: startupProbe, live: livenessProbe, ready: readinessProbe }
  }
  const api = probes('api')
  t.same(api.startup?.httpGet, { path: '/healthz', port: 'http' })
  t.same(api.live?.httpGet, { path: '/healthz', port: 'http' }, 'depends on nothing')
  t.same(api.ready?.httpGet, { path: '/readyz', port: 'http' })
  const seconds = (api.startup?.periodSeconds ?? 0) * (api.startup?.failureThreshold ?? 0)
  t.ok(seconds >= 300, 'a start may wait for a migration')

  const { url } = await startTestService(t, { env: { METRICS_PORT: '0' } })
  for (const { httpGet } of [api.startup, api.live, api.ready].filter((probe) => probe !== undefined)) {
    t.equal((await fetch(`${url}${httpGet?.path}`)).status, 200, httpGet?.path ?? '')
  }

  const reconciler = await startTestService(t, { env: { HTTP: 'off', RECONCILE: 'on', METRICS_PORT: '0' } })
  const { startup, live, ready } = probes('reconciler')
  for (const { httpGet } of [startup, live, ready].filter((probe) => probe !== undefined)) {
    t.equal(httpGet?.port, 'metrics')
    const { status } = await fetch(`${reconciler.running.urls.metrics}${httpGet?.path}`)
    t.equal(status, 200, `${httpGet?.path} of a reconciler`)
  }
  t.equal(live?.httpGet?.path, '/healthz', 'depends on nothing')
  t.equal(ready?.httpGet?.path, '/readyz')
})

t.test('commands: what the containers run is there', async (t) => {
  for (const { container } of Object.values(workloads(render(t, combinations.split)))) {
    t.same(container.command, ['node', '--disable-proto=delete', 'src/main.ts'], 'whatever NODE_OPTIONS is')
    const { status, stdout } = await callCommand([...(container.args ?? []), '--help'])
    t.equal(status, 0)
    t.ok(stdout.includes(`Usage: ${container.args?.[0]}`))
  }
})

t.test('draining: a pod answers while gateways learn, and has the time to stop', async (t) => {
  const api = workload(render(t, smallest), 'api').pod
  t.same(api.containers[0]?.lifecycle?.preStop, { sleep: { seconds: 5 } }, 'without a shell')
  t.equal(api.terminationGracePeriodSeconds, 20)
  const reconciler = workload(render(t, combinations.split), 'reconciler').pod
  t.equal(reconciler.containers[0]?.lifecycle, undefined)
  t.equal(reconciler.terminationGracePeriodSeconds, 15)
  const none = render(t, {
    ...smallest,
    drain: { preStopSleepSeconds: 0, terminationGracePeriodSeconds: 10 },
  })
  t.equal(workload(none, 'api').container.lifecycle, undefined)
})

t.test('rollouts: a new pod is ready before an old one goes', async (t) => {
  const deployment = one<IDeployment>(render(t, smallest), 'Deployment')
  t.same(deployment.spec?.strategy?.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
})

const hook = (object: Manifest) => {
  const { annotations = {} } = object.metadata
  return [
    annotations['helm.sh/hook'],
    Number(annotations['helm.sh/hook-weight']),
    annotations['helm.sh/hook-delete-policy'],
  ]
}

t.test('migration: a hook before installation and upgrade, after what it needs', async (t) => {
  const objects = render(t, smallest)
  const job = one<IJob & Manifest>(objects, 'Job')
  const policy = 'before-hook-creation,hook-succeeded'
  t.same(hook(job), ['pre-install,pre-upgrade', 0, policy])
  t.same(hook(one<Manifest>(objects, 'ServiceAccount', '-migration')), [
    'pre-install,pre-upgrade',
    -10,
    policy,
  ])
  t.same(hook(one<Manifest>(objects, 'NetworkPolicy', '-migration')), [
    'pre-install,pre-upgrade',
    -10,
    policy,
  ])
  const { pod, container } = workload(objects, 'migration')
  t.same(container.args, ['migrate'])
  t.equal(pod.restartPolicy, 'Never')
  t.equal(pod.serviceAccountName, 'scim-campaign-manager-scim-migration')
  t.same(Object.keys(environment({ ...workload(objects, 'migration') })), ['DATABASE_URL_FILE'])
  const others = objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined)
  t.equal(others.length, 3, 'nothing else is a hook')

  const without = render(t, combinations['without NetworkPolicy, budget, migration and account'])
  t.same(Object.keys(workloads(without)), ['api'])

  const given = render(t, { ...smallest, serviceAccount: { create: false, name: 'shared' } })
  t.equal(workload(given, 'migration').pod.serviceAccountName, 'shared')
  t.notOk(given.some(({ kind }) => kind === 'ServiceAccount'))

  const owned = workloads(render(t, combinations['tables that another role owns']))
  const urlOf = (component: string) => {
    const volume = owned[component]?.pod.volumes?.find(({ name }) => name === 'secrets')
    const sources = volume?.projected?.sources ?? []
    return sources.find(({ secret }) => secret?.items?.[0]?.path === 'DATABASE_URL')?.secret
  }
  t.match(urlOf('migration'), { name: 'database-owner', items: [{ key: 'OWNER_URL' }] })
  t.match(urlOf('api'), { name: 'database', items: [{ key: 'DATABASE_URL' }] })
})

t.test('labels: of equal ones the most specific wins, and none is there twice', async (t) => {
  const common = { team: 'common', release: 'common', 'helm.sh/chart': 'common', empty: 'common' }
  const specific = { team: 'specific', release: 'specific', empty: '' }
  const labelled = { enabled: true, labels: specific }
  const values = {
    ...combinations.split,
    commonLabels: common,
    podLabels: specific,
    prometheusRule: labelled,
    grafanaDashboard: labelled,
  }
  const monitors = [
    { serviceMonitor: { enabled: true, labels: specific } },
    { podMonitor: { enabled: true, labels: specific } },
  ]
  for (const monitor of monitors) {
    const objects = render(t, { ...values, ...monitor })
    for (const { labels } of Object.values(workloads(objects))) t.match(labels, { ...common, ...specific })
    for (const { kind, metadata } of objects) {
      const own = /Monitor$|Rule$/.test(kind) || metadata.name.endsWith('-dashboard')
      t.match(metadata.labels, own ? { ...common, ...specific } : common, kind)
    }
  }
  t.equal(workload(render(t, smallest, '123'), 'api').labels['app.kubernetes.io/instance'], '123')
})

t.test('extras: reach every pod', async (t) => {
  const values = combinations['extras everywhere']
  const objects = render(t, values)
  for (const { pod, container, labels, annotations } of Object.values(workloads(objects))) {
    t.equal(container.image, `${values.image.repository}@${values.image.digest}`)
    t.equal(container.imagePullPolicy, 'Always')
    t.same(pod.imagePullSecrets, values.imagePullSecrets)
    t.match(container.env?.slice(-2), values.extraEnv)
    t.match(pod.volumes?.at(-1), values.extraVolumes[0] ?? {})
    t.match(container.volumeMounts?.at(-1), values.extraVolumeMounts[0] ?? {})
    t.match(annotations, values.podAnnotations)
    t.match(labels, { ...values.podLabels, ...values.commonLabels })
    t.equal(pod.priorityClassName, 'important')
    t.same(pod.nodeSelector, values.nodeSelector)
    t.same(pod.tolerations, values.tolerations)
    t.same(pod.affinity, values.affinity)
    t.ok(container.resources?.limits?.memory && container.resources.requests?.cpu)
  }
  t.ok(
    objects.every(({ metadata }) => metadata.labels?.team === 'identity'),
    'common labels',
  )
  t.ok(objects.every(({ metadata }) => metadata.name.startsWith('provisioning')))
  t.match(environment(workload(objects, 'api')), { HOST: '::', PORT: '3000', METRICS_PORT: '3001' })
  const service = one<IService>(objects, 'Service').spec
  t.match(service, { type: 'LoadBalancer', ports: [{ port: 8443 }] })
})
