import t from 'tap'
import { smallest } from './combinations.ts'
import { refusal, type Values } from './helm.ts'

const { secrets, settings } = smallest

/** What cannot work, and the sentence that says why. The first ones are the chart's, the others the schema's. */
const wrong: Readonly<Record<string, { values: Values; says: string | RegExp }>> = {
  'nothing at all': {
    values: {},
    says: 'secrets.databaseUrl.existingSecret: name the Secret with the URL of Postgres; the embedded database is not in the image',
  },
  'no database outside production either': {
    values: { production: false },
    says: 'secrets.databaseUrl.existingSecret: name the Secret',
  },
  'the sandbox in production': {
    values: { secrets },
    says: 'settings.campaignManagerUrl: must be set; production=true refuses the bundled sandbox',
  },
  'a sandbox for each of two pods': {
    values: { secrets, production: false },
    says: 'every process has a bundled sandbox of its own, so without it there must be one: mode=combined, api.replicas=1',
  },
  'no credential in production': {
    values: { settings, secrets: { databaseUrl: secrets.databaseUrl } },
    says: 'secrets.scimToken.existingSecret: production=true refuses to start without any credential',
  },
  'metrics on the port of SCIM': {
    values: { ...smallest, ports: { http: 9090 } },
    says: 'ports.metrics: must not be the same as ports.http (9090)',
  },
  'a protected placeholder': {
    values: { ...smallest, settings: { ...settings, protectedRoles: ['Owner', 'PLACEHOLDER'] } },
    says: 'settings.protectedRoles: must not contain settings.placeholderRole (Placeholder)',
  },
  "a role with the list's separator": {
    values: { ...smallest, settings: { ...settings, protectedRoles: ['Owner, Editor'] } },
    says: "settings.protectedRoles: a role's name must not contain a comma (Owner, Editor)",
  },
  'attributes from two places': {
    values: { ...smallest, schemaExtensions: { declarations: [{}], existingConfigMap: 'attributes' } },
    says: 'schemaExtensions: declarations and existingConfigMap are mutually exclusive',
  },
  'a setting past the chart': {
    values: { ...smallest, extraEnv: [{ name: 'RECONCILE', value: 'off' }] },
    says: 'extraEnv: must not set RECONCILE; use mode',
  },
  'another setting past the chart': {
    values: { ...smallest, extraEnv: [{ name: 'ON_DEACTIVATE', value: 'suspend' }] },
    says: 'extraEnv: must not set ON_DEACTIVATE; use settings.onDeactivate',
  },
  'a secret in the open': {
    values: { ...smallest, extraEnv: [{ name: 'SCIM_TOKEN', value: 'in the open' }] },
    says: 'extraEnv: must not set SCIM_TOKEN; use secrets.scimToken.existingSecret',
  },
  "a volume of the chart's name": {
    values: { ...smallest, extraVolumes: [{ name: 'tmp', emptyDir: {} }] },
    says: "extraVolumes: the name tmp is the chart's own",
  },
  'a label that hides the pods': {
    values: { ...smallest, podLabels: { 'app.kubernetes.io/component': 'web' } },
    says: 'podLabels: must not set app.kubernetes.io/component, by which the pods are found',
  },
  'a label that hides the pods, of every object': {
    values: { ...smallest, commonLabels: { 'app.kubernetes.io/name': 'web' } },
    says: 'commonLabels: must not set app.kubernetes.io/name, by which the pods are found',
  },
  "annotations of somebody else's account": {
    values: { ...smallest, serviceAccount: { create: false, annotations: { a: 'b' } } },
    says: 'serviceAccount.annotations: have no effect',
  },
  'too little time to stop': {
    values: { ...smallest, drain: { preStopSleepSeconds: 15 } },
    says: 'drain.terminationGracePeriodSeconds: must be at least drain.preStopSleepSeconds + 10 (25)',
  },
  'an Ingress for no host': {
    values: { ...smallest, ingress: { enabled: true } },
    says: 'ingress.hosts: name at least one host',
  },
  'a route of no Gateway': {
    values: { ...smallest, httpRoute: { enabled: true, hostnames: ['scim.example.com'] } },
    says: 'httpRoute.parentRefs: name the Gateway',
  },
  'an Ingress for no path': {
    values: { ...smallest, publicPaths: [], ingress: { enabled: true, hosts: ['scim.example.com'] } },
    says: 'publicPaths: name at least one path',
  },
  'a service that nobody can reach': {
    values: { ...smallest, networkPolicy: { gatewayPeers: [] } },
    says: 'networkPolicy.gatewayPeers: name who may reach the HTTP port',
  },
  'a load balancer for pods alone': {
    values: { ...smallest, service: { type: 'LoadBalancer' } },
    says: 'networkPolicy.gatewayPeers: service.type=LoadBalancer is for callers outside the cluster',
  },
  'DNS anywhere': {
    values: { ...smallest, networkPolicy: { dnsPeers: [] } },
    says: 'networkPolicy.dnsPeers: say where DNS is',
  },
  'metrics that Prometheus cannot reach': {
    values: { ...smallest, podMonitor: { enabled: true }, networkPolicy: { prometheusPeers: [] } },
    says: 'networkPolicy.prometheusPeers: name who may reach the metrics port',
  },
  'more pods than the most': {
    values: { ...smallest, api: { autoscaling: { enabled: true, minReplicas: 7 } } },
    says: 'api.autoscaling: minReplicas (7) must not be above maxReplicas (6)',
  },
  'autoscaling by nothing': {
    values: { ...smallest, api: { autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0 } } },
    says: 'api.autoscaling: needs targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage',
  },
  'autoscaling by a part of nothing': {
    values: { ...smallest, api: { autoscaling: { enabled: true }, resources: { requests: { cpu: null } } } },
    says: 'api.resources.requests.cpu: must be set, because api.autoscaling is a percentage of it',
  },
  'a budget that keeps the only pod': {
    values: {
      ...smallest,
      api: { replicas: 1, podDisruptionBudget: { minAvailable: 1, maxUnavailable: '' } },
    },
    says: 'api.podDisruptionBudget: no pod of 1 could ever be evicted',
  },
  'a budget that lets no pod of the fewest go': {
    values: {
      ...smallest,
      api: {
        replicas: 9,
        autoscaling: { enabled: true },
        podDisruptionBudget: { minAvailable: 2, maxUnavailable: '' },
      },
    },
    says: 'api.podDisruptionBudget: no pod of 2 could ever be evicted',
  },
  'a percentage that keeps the only pod': {
    values: {
      ...smallest,
      api: { replicas: 1, podDisruptionBudget: { minAvailable: '50%', maxUnavailable: '' } },
    },
    says: 'api.podDisruptionBudget: no pod of 1 could ever be evicted',
  },
  'a percentage that keeps all pods, rounded up': {
    values: {
      ...smallest,
      api: { replicas: 3, podDisruptionBudget: { minAvailable: '75%', maxUnavailable: '' } },
    },
    says: 'api.podDisruptionBudget: no pod of 3 could ever be evicted',
  },
  'no percent': {
    values: { ...smallest, api: { podDisruptionBudget: { maxUnavailable: '00%' } } },
    says: 'api.podDisruptionBudget: no pod of 2 could ever be evicted',
  },
  'a budget of nothing': {
    values: { ...smallest, mode: 'split', reconciler: { podDisruptionBudget: { maxUnavailable: 0 } } },
    says: 'reconciler.podDisruptionBudget: no pod of 2 could ever be evicted',
  },
  'a budget said twice': {
    values: { ...smallest, api: { podDisruptionBudget: { minAvailable: 1 } } },
    says: 'api.podDisruptionBudget: minAvailable and maxUnavailable are mutually exclusive',
  },
  'a budget not said': {
    values: { ...smallest, api: { podDisruptionBudget: { maxUnavailable: '' } } },
    says: 'api.podDisruptionBudget: needs minAvailable or maxUnavailable',
  },
  'a scrape longer than the time between two': {
    values: { ...smallest, serviceMonitor: { enabled: true, interval: '5s' } },
    says: 'serviceMonitor.scrapeTimeout: must not be above serviceMonitor.interval (5s); Prometheus refuses it',
  },
  'a scrape of a pod longer than the time between two': {
    values: { ...smallest, podMonitor: { enabled: true, interval: '1m', scrapeTimeout: '1m1ms' } },
    says: 'podMonitor.scrapeTimeout: must not be above podMonitor.interval (1m)',
  },
  'two monitors': {
    values: { ...smallest, serviceMonitor: { enabled: true }, podMonitor: { enabled: true } },
    says: 'serviceMonitor, podMonitor: enable one of them',
  },
  'an alert that is none': {
    values: { ...smallest, prometheusRule: { disabledAlerts: ['ScimBridgeDwon'] } },
    says: 'prometheusRule.disabledAlerts: there is no alert ScimBridgeDwon',
  },

  'an unknown value': { values: { ...smallest, replicaCount: 3 }, says: /additional propert.*replicaCount/i },
  'an unknown setting': {
    values: { ...smallest, settings: { ...settings, onDeactivte: 'suspend' } },
    says: /settings.*onDeactivte/,
  },
  'an unknown mode': { values: { ...smallest, mode: 'both' }, says: /mode.*'combined'|mode.*"combined"/s },
  'autoscaling without HTTP': {
    values: { ...smallest, mode: 'split', reconciler: { autoscaling: { enabled: true } } },
    says: /reconciler.*autoscaling/,
  },
  'no pods': { values: { ...smallest, api: { replicas: 0 } }, says: /replicas/ },
  'null in place of a number': { values: { ...smallest, api: { replicas: null } }, says: /api.*replicas/s },
  'null in place of everything about something': {
    values: { ...smallest, ingress: null },
    says: /missing.*ingress|ingress is required/i,
  },
  'more than all pods': {
    values: { ...smallest, api: { podDisruptionBudget: { maxUnavailable: '101%' } } },
    says: /maxUnavailable/,
  },
  'DNS on any port': { values: { ...smallest, networkPolicy: { dnsPorts: [] } }, says: /dnsPorts/ },
  'a call longer than a lease': {
    values: { ...smallest, settings: { ...settings, campaignManagerTimeoutMs: 60_000 } },
    says: /campaignManagerTimeoutMs/,
  },
  'a URL with a password': {
    values: { ...smallest, settings: { campaignManagerUrl: 'https://user:secret@example.com' } },
    says: /campaignManagerUrl/,
  },
  'an address with a wildcard': {
    values: { ...smallest, settings: { ...settings, publicUrl: 'https://*.example.com' } },
    says: /publicUrl/,
  },
  'a secret as a value': {
    values: { ...smallest, secrets: { ...secrets, scimToken: 'a-token' } },
    says: /scimToken/,
  },
  'a peer with a typing error': {
    values: { ...smallest, networkPolicy: { gatewayPeers: [{ namespaceSelektor: {} }] } },
    says: /gatewayPeers/,
  },
}

for (const [name, { values, says }] of Object.entries(wrong)) {
  t.test(`refused: ${name}`, async (t) => {
    const reason = refusal(t, values)
    t.ok(typeof says === 'string' ? reason.includes(says) : says.test(reason), reason)
  })
}
