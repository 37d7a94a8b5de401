import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import type { IJob } from 'kubernetes-models/batch/v1'
import type { IIngress, INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1'
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
  const { pod } = workload(render(t, combinations["OpenShift's own user ids"]), 'api')
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
  t.equal((await fetch(`${reconciler.running.urls.metrics}/metrics`)).status, 200, 'the port is open')
  for (const probe of Object.values(probes('reconciler'))) t.same(probe?.tcpSocket, { port: 'metrics' })
})

t.test('commands: what the containers run is there', async (t) => {
  for (const { container } of Object.values(workloads(render(t, combinations.split)))) {
    t.same(container.command, ['node', 'src/main.ts'])
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
})

const selects = (selector: Readonly<Record<string, string>> = {}, labels: Readonly<Record<string, string>>) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)

t.test('selectors: who is found by what', async (t) => {
  const objects = render(t, combinations['monitored by the operator, with rules and dashboard'])
  const running = workloads(objects)
  const found = (selector: Readonly<Record<string, string>> | undefined) =>
    Object.keys(running)
      .filter((component) => selects(selector, running[component]?.labels ?? {}))
      .sort()
  const service = one<IService>(objects, 'Service', 'scim-campaign-manager-scim')
  t.same(found(service.spec?.selector), ['api'])
  t.same(found(one<IService>(objects, 'Service', '-metrics').spec?.selector), ['api', 'reconciler'])
  const policy = (suffix: string) =>
    found(one<INetworkPolicy>(objects, 'NetworkPolicy', suffix).spec?.podSelector?.matchLabels)
  t.same(policy('scim-campaign-manager-scim'), ['api', 'reconciler'])
  t.same(policy('-migration'), ['migration'])
  const budget = (suffix: string) =>
    found(one<IPodDisruptionBudget>(objects, 'PodDisruptionBudget', suffix).spec?.selector?.matchLabels)
  t.same(budget('scim-campaign-manager-scim'), ['api'])
  t.same(budget('-reconciler'), ['reconciler'])
  for (const suffix of ['scim-campaign-manager-scim', '-reconciler']) {
    const { spec } = one<IDeployment>(objects, 'Deployment', suffix)
    t.ok(selects(spec?.selector.matchLabels, spec?.template.metadata?.labels ?? {}))
  }
  const port = (name: string, of: string) =>
    running[of]?.container.ports?.find((port) => port.name === name)?.containerPort
  t.equal(service.spec?.ports?.[0]?.targetPort, 'http')
  t.same([port('http', 'api'), port('metrics', 'api'), port('metrics', 'reconciler')], [8080, 9090, 9090])
  t.equal(port('http', 'reconciler'), undefined)
})

t.test('spread: over zones and nodes, each Deployment for itself', async (t) => {
  const objects = render(t, combinations.split)
  for (const component of ['api', 'reconciler']) {
    const { pod, labels } = workload(objects, component)
    const spread = pod.topologySpreadConstraints ?? []
    t.same(
      spread.map(({ topologyKey }) => topologyKey),
      ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'],
    )
    for (const { labelSelector } of spread) {
      t.equal(labelSelector?.matchLabels?.['app.kubernetes.io/component'], component)
      t.ok(selects(labelSelector?.matchLabels, labels))
    }
  }
  const own = workload(render(t, combinations['extras everywhere']), 'api').pod.topologySpreadConstraints
  t.same(own?.[0]?.labelSelector, { matchLabels: { a: 'b' } }, 'a selector that is there stays')
})

t.test('network: everything is denied but what the service needs', async (t) => {
  const objects = render(t, smallest)
  const { spec } = one<INetworkPolicy>(objects, 'NetworkPolicy', 'scim-campaign-manager-scim')
  t.same(spec?.policyTypes, ['Ingress', 'Egress'])
  const ports = (rules: readonly { ports?: readonly { port?: unknown }[] }[] = []) =>
    rules.map((rule) => (rule.ports ?? []).map(({ port }) => port))
  t.same(ports(spec?.ingress), [[8080], [9090]])
  t.same(ports(spec?.egress), [[53, 53], [5432], [443], [443]])
  t.ok(
    spec?.egress?.every(({ to = [] }) => to.length > 0),
    'a rule without peers would allow everything',
  )
  t.ok(spec?.ingress?.every(({ from = [] }) => from.length > 0))
  const blocks = [...(spec?.egress ?? [])].flatMap(({ to = [] }) =>
    to.flatMap(({ ipBlock }) => ipBlock ?? []),
  )
  t.equal(blocks.length, 6)
  for (const { cidr, except = [] } of blocks) {
    t.ok(
      except.includes(cidr === '::/0' ? 'fe80::/10' : '169.254.0.0/16'),
      `${cidr} without link-local addresses`,
    )
  }

  const migration = one<INetworkPolicy>(objects, 'NetworkPolicy', '-migration').spec
  t.same(migration?.ingress, [])
  t.same(ports(migration?.egress), [[53, 53], [5432]], 'Campaign Manager is none of its business')
})

t.test('network: narrowed to what values say', async (t) => {
  const values = combinations['a network of its own']
  const { spec } = one<INetworkPolicy>(render(t, values), 'NetworkPolicy', 'scim-campaign-manager-scim')
  const { gatewayPeers, dnsPeers, postgres, campaignManager, entra, collector, extraEgress } =
    values.networkPolicy
  t.same(spec?.ingress, [{ from: gatewayPeers, ports: [{ protocol: 'TCP', port: 8080 }] }])
  t.same(spec?.egress?.[0]?.to, dnsPeers)
  t.same(spec?.egress?.slice(1), [
    { to: postgres.peers, ports: [{ protocol: 'TCP', port: 6432 }] },
    { to: campaignManager.peers, ports: [{ protocol: 'TCP', port: 8443 }] },
    { to: entra.peers, ports: [{ protocol: 'TCP', port: 443 }] },
    { to: collector.peers, ports: [{ protocol: 'TCP', port: 4318 }] },
    ...extraEgress,
  ])
})

t.test("network: ports are those of the settings' URLs", async (t) => {
  const ports = (campaignManagerUrl: string) => {
    const policy = one<INetworkPolicy>(
      render(t, { ...smallest, settings: { campaignManagerUrl } }),
      'NetworkPolicy',
      'scim-campaign-manager-scim',
    )
    return policy.spec?.egress?.[2]?.ports?.map(({ port }) => port)
  }
  t.same(ports('https://campaign-manager.example.com/api'), [443])
  t.same(ports('http://campaign-manager.crm.svc'), [80])
  t.same(ports('http://campaign-manager.crm.svc:8080/api/2'), [8080])
  t.same(ports('https://[2001:db8::1]:8443'), [8443])
  t.same(ports('https://[2001:db8::1]'), [443])
})

t.test('exposure: only SCIM is let through, and TLS for every host', async (t) => {
  const ingress = one<IIngress>(render(t, combinations['an Ingress with TLS']), 'Ingress')
  const hosts = ['scim.example.com', 'scim.example.org']
  t.same(ingress.spec?.tls, [{ secretName: 'scim-tls', hosts }])
  t.same(
    ingress.spec?.rules?.map(({ host }) => host),
    hosts,
  )
  const paths = ingress.spec?.rules?.flatMap(({ http }) => http?.paths ?? []) ?? []
  t.same([...new Set(paths.map(({ path }) => path))], ['/scim/v2', '/oauth2/token'])
  t.ok(paths.every(({ pathType }) => pathType === 'Prefix'))
  t.ok(paths.every(({ backend }) => backend.service?.name === 'scim-campaign-manager-scim'))

  const route = one<{ spec: Values }>(render(t, combinations['an HTTPRoute with a prefix']), 'HTTPRoute')
  t.match(route.spec, {
    parentRefs: [{ name: 'public', namespace: 'gateways' }],
    hostnames: ['gateway.example.com'],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/provisioning/scim/v2' } }],
        backendRefs: [{ name: 'scim-campaign-manager-scim', port: 80 }],
        timeouts: { request: '60s' },
      },
    ],
  })
  const kinds = render(t, smallest).map(({ kind }) => kind)
  t.notOk(kinds.includes('Ingress') || kinds.includes('HTTPRoute'), 'neither unless asked for')
})

t.test('scaling: the autoscaler alone says how many', async (t) => {
  const objects = render(t, combinations['an autoscaled API beside reconcilers'])
  const deployment = one<IDeployment>(objects, 'Deployment', 'scim-campaign-manager-scim')
  t.equal(deployment.spec?.replicas, undefined)
  const { spec } = one<IHorizontalPodAutoscaler>(objects, 'HorizontalPodAutoscaler')
  t.match(spec, {
    minReplicas: 3,
    maxReplicas: 10,
    scaleTargetRef: { kind: 'Deployment', name: deployment.metadata?.name },
  })
  t.same(
    spec?.metrics?.map(({ resource }) => [resource?.name, resource?.target.averageUtilization]),
    [
      ['cpu', 70],
      ['memory', 80],
    ],
  )
  const budget = (suffix: string) => one<IPodDisruptionBudget>(objects, 'PodDisruptionBudget', suffix).spec
  t.match(budget('scim-campaign-manager-scim'), {
    minAvailable: 2,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
  })
  t.equal(budget('-reconciler')?.minAvailable, '50%')
  t.equal(one<IDeployment>(objects, 'Deployment', '-reconciler').spec?.replicas, 3)
  const fixed = render(t, smallest)
  t.equal(one<IDeployment>(fixed, 'Deployment').spec?.replicas, 2)
  t.equal(one<IPodDisruptionBudget>(fixed, 'PodDisruptionBudget').spec?.maxUnavailable, 1)
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
