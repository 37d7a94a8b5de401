import type { Values } from './helm.ts'

const secrets = {
  databaseUrl: { existingSecret: 'database' },
  campaignManagerToken: { existingSecret: 'campaign-manager' },
  scimToken: { existingSecret: 'scim' },
}
const settings = { campaignManagerUrl: 'https://campaign-manager.example.com' }

/** The least with which the chart is installed. */
export const smallest = { secrets, settings } satisfies Values

/** Ways in which the chart is meant to be used. Each must render, be valid, and start the service. */
export const combinations = {
  'the least': smallest,
  split: { ...smallest, mode: 'split' },
  'answering only, as after a restore': {
    ...smallest,
    mode: 'split',
    reconciler: { replicas: 0, podDisruptionBudget: { minAvailable: 1, maxUnavailable: '' } },
  },
  'tables that another role owns': {
    ...smallest,
    migration: { databaseUrl: { existingSecret: 'database-owner', key: 'OWNER_URL' } },
  },
  'a single pod': { ...smallest, api: { replicas: 1 } },
  'the sandbox, outside production': {
    production: false,
    secrets: { databaseUrl: secrets.databaseUrl },
    api: { replicas: 1 },
    settings: { logLevel: 'debug' },
  },
  'a credential that is in the database already': {
    ...smallest,
    secrets: { ...secrets, scimToken: { notNeeded: true } },
  },
  'every secret under a name of its own': {
    ...smallest,
    mode: 'split',
    secrets: Object.fromEntries(
      [
        'databaseUrl',
        'campaignManagerToken',
        'scimToken',
        'encryptionKey',
        'operatorToken',
        'otelExporterOtlpHeaders',
      ].map((name) => [name, { existingSecret: `secret-of-${name.toLowerCase()}`, key: `key.of_${name}` }]),
    ),
  },
  'every setting changed': {
    ...smallest,
    settings: {
      campaignManagerUrl: 'http://campaign-manager.crm.svc:8080/api',
      campaignManagerTimeoutMs: 45_000,
      campaignManagerConcurrency: 1000,
      campaignManagerRate: 0.5,
      publicUrl: 'https://gateway.example.com/provisioning/scim/v2/',
      scimRate: 2.5,
      entraAuthority: 'https://login.microsoftonline.us',
      auditRetentionDays: 36_500,
      otelExporterOtlpEndpoint: 'http://collector.monitoring.svc:4318',
      otelExporterOtlpTracesEndpoint: 'https://traces.example.com/v1/traces',
      otelServiceName: 'provisioning',
      otelTracesSampler: 'traceidratio',
      otelTracesSamplerArg: 0.01,
      otelSdkDisabled: true,
      trustProxy: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'],
      placeholderRole: 'None: yet',
      protectedRoles: ['Owner', 'Break "glass"'],
      unknownRole: 'hold',
      roleCacheSeconds: 0,
      existingAccounts: 'refuse',
      onDeactivate: 'suspend',
      onUserDelete: 'release',
      deletionGuardCount: 1_000_000,
      deletionGuardPercent: 0,
      deletionGuardMinutes: 1440,
      resyncIntervalSeconds: 1_209_600,
      logLevel: 'trace',
    },
  },
  'an Ingress with TLS': {
    ...smallest,
    ingress: {
      enabled: true,
      className: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/proxy-body-size': '8m' },
      hosts: ['scim.example.com', 'scim.example.org'],
      tlsSecret: 'scim-tls',
    },
  },
  'an HTTPRoute with a prefix': {
    ...smallest,
    publicPaths: ['/provisioning/scim/v2'],
    settings: { ...settings, publicUrl: 'https://gateway.example.com/provisioning' },
    httpRoute: {
      enabled: true,
      annotations: { owner: 'identity' },
      parentRefs: [{ name: 'public', namespace: 'gateways', sectionName: 'https' }],
      hostnames: ['gateway.example.com'],
      requestTimeoutSeconds: 60,
      filters: [
        {
          type: 'URLRewrite',
          urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/scim/v2' } },
        },
      ],
    },
  },
  'an autoscaled API beside reconcilers': {
    ...smallest,
    mode: 'split',
    api: {
      autoscaling: {
        enabled: true,
        minReplicas: 3,
        maxReplicas: 10,
        targetMemoryUtilizationPercentage: 80,
        behavior: { scaleDown: { stabilizationWindowSeconds: 600 } },
      },
      podDisruptionBudget: { minAvailable: 2, maxUnavailable: '' },
    },
    reconciler: { replicas: 3, podDisruptionBudget: { minAvailable: '50%', maxUnavailable: '' } },
  },
  'monitored by the operator, with rules and dashboard': {
    ...smallest,
    mode: 'split',
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: {
      enabled: true,
      labels: { release: 'prometheus' },
      alertLabels: { team: 'identity' },
      disabledAlerts: ['ScimBridgeClientSilent'],
      runbookBaseUrl: 'https://git.example.com/scim/blob/main/',
    },
    grafanaDashboard: { enabled: true, annotations: { grafana_folder: 'Identity' } },
  },
  'monitored by pod': {
    ...smallest,
    podMonitor: { enabled: true, interval: '1m30s', scrapeTimeout: '90000ms' },
  },
  'a network of its own': {
    ...smallest,
    settings: { ...settings, otelExporterOtlpEndpoint: 'http://collector.monitoring.svc:4318' },
    networkPolicy: {
      gatewayPeers: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } },
          podSelector: { matchLabels: { 'app.kubernetes.io/name': 'ingress-nginx' } },
        },
        { ipBlock: { cidr: '10.1.0.0/16' } },
      ],
      prometheusPeers: [],
      dnsPeers: [{ ipBlock: { cidr: '169.254.20.10/32' } }],
      postgres: { peers: [{ ipBlock: { cidr: '10.2.0.0/24' } }], port: 6432 },
      campaignManager: { peers: [{ ipBlock: { cidr: '192.0.2.10/32' } }], port: 8443 },
      entra: { peers: [{ ipBlock: { cidr: '198.51.100.0/24' } }] },
      collector: { peers: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }] },
      extraEgress: [{ to: [{ ipBlock: { cidr: '10.3.0.1/32' } }], ports: [{ protocol: 'TCP', port: 636 }] }],
    },
  },
  'without NetworkPolicy, budget, migration and account': {
    ...smallest,
    networkPolicy: { enabled: false },
    api: { podDisruptionBudget: { enabled: false } },
    migration: { enabled: false },
    serviceAccount: { create: false, name: 'shared' },
  },
  'attributes of their own': {
    ...smallest,
    mode: 'split',
    schemaExtensions: {
      declarations: [
        {
          resourceType: 'User',
          schema: {
            id: 'urn:example:params:scim:schemas:extension:badge:2.0:User',
            name: 'Badge',
            attributes: [{ name: 'badgeColour', type: 'string', description: 'As in "{{ .Values }}"' }],
          },
        },
      ],
    },
  },
  'attributes of their own, in a ConfigMap of their own': {
    ...smallest,
    schemaExtensions: { existingConfigMap: 'attributes', key: 'attributes.json' },
  },
  'extras everywhere': {
    ...smallest,
    mode: 'split',
    commonLabels: { team: 'identity' },
    image: {
      repository: 'registry.example.com:5000/identity/campaign-manager-scim',
      digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
      pullPolicy: 'Always',
    },
    imagePullSecrets: [{ name: 'registry' }],
    extraEnv: [
      { name: 'NODE_EXTRA_CA_CERTS', value: '/etc/ca/ca.crt' },
      { name: 'OTHER', valueFrom: { configMapKeyRef: { name: 'other', key: 'other' } } },
    ],
    extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
    extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ca', readOnly: true }],
    podAnnotations: { 'linkerd.io/inject': 'enabled' },
    podLabels: { 'cost-centre': '42' },
    priorityClassName: 'important',
    nodeSelector: { 'kubernetes.io/arch': 'amd64' },
    tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'identity', effect: 'NoSchedule' }],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 1,
            podAffinityTerm: {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: { a: 'b' } },
            },
          },
        ],
      },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'rack',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { a: 'b' } },
      },
    ],
    serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/scim' } },
    service: { type: 'LoadBalancer', port: 8443, annotations: { internal: 'true' } },
    networkPolicy: { gatewayPeers: [{ ipBlock: { cidr: '10.1.0.0/16' } }] },
    ports: { http: 3000, metrics: 3001 },
    listenAddress: '::',
    fullnameOverride: 'provisioning',
  },
  'names as long as they may be': {
    ...smallest,
    mode: 'split',
    fullnameOverride: `n${'a'.repeat(41)}`,
    serviceMonitor: { enabled: true },
    schemaExtensions: { declarations: [] },
  },
  "OpenShift's own user ids and DNS": {
    ...smallest,
    podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null },
    networkPolicy: {
      dnsPeers: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'openshift-dns' } } }],
      dnsPorts: [5353],
    },
  },
} satisfies Record<string, Values>
