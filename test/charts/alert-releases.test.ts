import t, { type Test } from 'tap'
import { smallest } from './combinations.ts'
import { type Manifest, one, refusal, render, type Values } from './helm.ts'
import { type AlertRule, ANY_RELEASE, alertRules, testRules, WITH_PROMETHEUS } from './promtool.ts'

type Rule = Manifest & { spec: { groups: { rules: AlertRule[] }[] } }
interface Endpoint {
  readonly relabelings: readonly { readonly targetLabel: string; readonly replacement?: string }[]
}
type Monitor = Manifest & { spec: { endpoints?: Endpoint[]; podMetricsEndpoints?: Endpoint[] } }

const ruleOf = (t: Test, values: Values, release?: string, namespace?: string): Rule =>
  one<Rule>(render(t, values, release, namespace), 'PrometheusRule')
const expressions = ({ spec }: Rule): string[] =>
  spec.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))
const filledIn = (selector: string): string[] =>
  alertRules().map(({ expr }) => expr.replaceAll(ANY_RELEASE, selector))

const monitored = { ...smallest, serviceMonitor: { enabled: true }, prometheusRule: { enabled: true } }
const CRM = 'namespace="sales", job="crm-campaign-manager-scim"'

t.test("a release's rules look at the series that its monitor names", async (t) => {
  const ways: Readonly<Record<string, Values>> = {
    ServiceMonitor: { ...monitored, mode: 'split' },
    PodMonitor: { ...monitored, serviceMonitor: { enabled: false }, podMonitor: { enabled: true } },
  }
  for (const [kind, values] of Object.entries(ways)) {
    for (const named of [{}, { fullnameOverride: 'provisioning' }, { nameOverride: 'scim' }]) {
      const objects = render(t, { ...values, ...named }, 'crm', 'sales')
      const { endpoints, podMetricsEndpoints = [] } = one<Monitor>(objects, kind).spec
      const jobs = (endpoints ?? podMetricsEndpoints).flatMap(({ relabelings }) =>
        relabelings.filter(({ targetLabel }) => targetLabel === 'job').map(({ replacement }) => replacement),
      )
      t.equal(jobs.length, 1, kind)
      t.same(
        expressions(one<Rule>(objects, 'PrometheusRule')),
        filledIn(`namespace="sales", job="${jobs[0]}"`),
        `${kind} ${JSON.stringify(named)}`,
      )
    }
  }
})

t.test('where another scrape names the series, the values say how, or it is any release', async (t) => {
  const own = { ...smallest, prometheusRule: { enabled: true } }
  t.same(expressions(ruleOf(t, own)), filledIn(ANY_RELEASE))
  const selector = 'kubernetes_namespace="sales", job=~"pods|scim", container!="a\\"b"'
  for (const values of [own, monitored]) {
    const said = { ...values, prometheusRule: { enabled: true, selector } }
    t.same(expressions(ruleOf(t, said)), filledIn(selector))
  }
  for (const wrong of ['crm', '{job="crm"}', 'job="crm",', 'job="crm"} or up{job="x"', "job='crm'"]) {
    t.match(refusal(t, { ...smallest, prometheusRule: { selector: wrong } }), 'selector', wrong)
  }
})

t.test('a release has its own alerts and no others', WITH_PROMETHEUS, async (t) => {
  const rulesOf = (release: string, namespace: string, team: string) =>
    JSON.stringify(
      ruleOf(
        t,
        { ...monitored, prometheusRule: { enabled: true, alertLabels: { team } } },
        release,
        namespace,
      ).spec,
    )
  const files = {
    'crm.json': rulesOf('crm', 'sales', 'a'),
    'staging.json': rulesOf('staging', 'sales', 'b'),
    'elsewhere.json': rulesOf('crm', 'marketing', 'c'),
  }
  const others = [
    'namespace="sales", job="staging-campaign-manager-scim", instance="s"',
    'namespace="marketing", job="crm-campaign-manager-scim", instance="m"',
  ]
  const situation = (name: string, alertname: string, series: Record<string, string>) => {
    const { labels, annotations } =
      alertRules().find(({ alert, labels }) => alert === alertname && labels.severity === 'critical') ?? {}
    return {
      name,
      interval: '1m',
      input_series: Object.entries({
        ...Object.fromEntries(others.map((other) => [`up{${other}}`, '1x20'])),
        ...series,
      }).map(([series, values]) => ({ series, values })),
      alert_rule_test: [
        {
          eval_time: '15m',
          alertname,
          exp_alerts: [
            {
              exp_labels: { ...labels, namespace: 'sales', job: 'crm-campaign-manager-scim', team: 'a' },
              exp_annotations: annotations,
            },
          ],
        },
      ],
    }
  }
  const refused = (of: string) => `scim_bridge_campaign_manager_credentials_refused{${of}}`
  const { status, output } = testRules(t, files, [
    situation('down', 'ScimBridgeDown', { [`up{${CRM}, instance="a"}`]: '0x20' }),
    situation('its targets are gone', 'ScimBridgeDown', { [`up{${CRM}, instance="a"}`]: '1x5 stale' }),
    situation('it never had any', 'ScimBridgeDown', {}),
    situation('refused', 'ScimBridgeCredentialsRefused', {
      [refused(`${CRM}, instance="a"`)]: '1x20',
      ...Object.fromEntries(others.map((other) => [refused(other), '0x20'])),
    }),
  ])
  t.equal(status, 0, output)
})
