import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import type { IIngress, INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1'
import type { IService } from 'kubernetes-models/v1'
import t from 'tap'
import { combinations, smallest } from './combinations.ts'
import { one, render, type Values } from './helm.ts'
import { workload, workloads } from './workload.ts'

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

t.test('network: DNS may listen on another port than its Service', async (t) => {
  const values = combinations["OpenShift's own user ids and DNS"]
  const objects = render(t, values)
  for (const suffix of ['scim-campaign-manager-scim', '-migration']) {
    const [dns] = one<INetworkPolicy>(objects, 'NetworkPolicy', suffix).spec?.egress ?? []
    t.same(dns, {
      to: values.networkPolicy.dnsPeers,
      ports: [
        { protocol: 'UDP', port: 5353 },
        { protocol: 'TCP', port: 5353 },
      ],
    })
  }
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
