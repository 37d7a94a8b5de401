import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AlertCase, alertCases, type Situation } from './alert-cases.ts'
import { combinations } from './combinations.ts'
import { type Manifest, one, render } from './helm.ts'
import {
  ALERTS_FILE,
  type AlertRule,
  ANY_RELEASE,
  alertRules,
  promtool,
  testRules,
  WITH_PROMETHEUS,
} from './promtool.ts'

const rules = alertRules()
const key = ({ alert, severity }: { alert: string; severity?: string | undefined }) => `${alert} ${severity}`
const keyOfRule = ({ alert, labels }: AlertRule) => key({ alert, severity: labels.severity })

t.test('promtool accepts the rules', WITH_PROMETHEUS, async (t) => {
  const { status, output } = promtool('check', 'rules', ALERTS_FILE)
  t.equal(status, 0, output)
  t.match(output, `${rules.length} rules found`)
})

t.test('every rule reads the service alone, by the matcher that the chart replaces', async (t) => {
  for (const { alert, expr } of rules) {
    const read = [...expr.matchAll(/\b(?:up|(?:scim_bridge|process|nodejs)_\w+)\b/g)]
    t.ok(read.length > 0, alert)
    for (const { 0: name, index } of read) {
      const selector = expr.slice(index + name.length)
      t.ok(selector.startsWith(`{${ANY_RELEASE}`), `${alert}: ${name}`)
    }
  }
})

t.test('every alert has a situation in which it fires, and one in which it does not', async (t) => {
  const tried = new Set(alertCases.map(key))
  t.same([...tried].sort(), rules.map(keyOfRule).sort())
})

const situation = (
  name: string,
  alert: string,
  { series, at }: Situation,
  exp_alerts: readonly unknown[],
) => ({
  name,
  interval: '1m',
  input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
  alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts }],
})

const runPromtool = (t: Test, tests: readonly unknown[], interval?: string) =>
  testRules(t, { 'alerts.yaml': readFileSync(ALERTS_FILE, 'utf8') }, tests, interval)

/** What takes days is looked at every ten minutes: every minute of it would take half of the time of all cases. */
const PACES = {
  hours: { cases: alertCases.filter((each) => !takesDays(each)), interval: '1m' },
  days: { cases: alertCases.filter(takesDays), interval: '10m' },
}

function takesDays({ fires, silent }: AlertCase): boolean {
  return Math.max(...[fires, silent].map(({ at }) => Number.parseInt(at, 10))) > 24 * 60
}

for (const [pace, { cases, interval }] of Object.entries(PACES)) {
  t.test(
    `every alert fires when it must, with its labels and its text (${pace})`,
    WITH_PROMETHEUS,
    async (t) => {
      const fires = (alertCase: AlertCase) =>
        situation(`${key(alertCase)} fires`, alertCase.alert, alertCase.fires, [expected(alertCase)])
      const { status, output } = runPromtool(t, cases.map(fires), interval)
      t.equal(status, 0, output)
    },
  )

  t.test(`every alert is silent when it must be (${pace})`, WITH_PROMETHEUS, async (t) => {
    const isSilent = (alertCase: AlertCase) =>
      situation(`${key(alertCase)} is silent`, alertCase.alert, alertCase.silent, [])
    const { status, output } = runPromtool(t, cases.map(isSilent), interval)
    t.equal(status, 0, output)
  })
}

t.test('a situation that is not as expected is noticed, and named', WITH_PROMETHEUS, async (t) => {
  const [first] = alertCases
  if (!first) throw new Error('there is no case')
  const { status, output } = runPromtool(t, [situation('upside down', first.alert, first.fires, [])])
  t.equal(status, 1)
  t.match(output, first.alert)
})

/** The whole alert: its labels, and its texts with value and labels filled in. */
function expected({ alert, severity, fires }: AlertCase): unknown {
  const rule = rules.find((rule) => keyOfRule(rule) === key({ alert, severity }))
  if (!rule) throw new Error(`there is no alert ${alert} of severity ${severity}`)
  const description = rule.annotations.description
    .replace(/\{\{ \$value[^}]*\}\}/g, () => fires.value ?? '')
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_match, label: string) => fires.labels?.[label] ?? '')
  const process = fires.withoutJob ? {} : { job: 'campaign-manager-scim', namespace: 'scim' }
  return {
    exp_labels: { severity, ...process, ...fires.labels },
    exp_annotations: { ...rule.annotations, description },
  }
}

t.test('every alert says what to do, and where that is written', async (t) => {
  const runbook = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8')
  const anchors = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, heading = '']) => heading.toLowerCase())
  for (const { alert, labels, annotations } of rules) {
    t.ok(['critical', 'warning'].includes(labels.severity ?? ''), alert)
    t.ok(annotations.summary && annotations.description, alert)
    t.equal(annotations.runbook_url, `docs/operating.md#${alert.toLowerCase()}`)
    t.ok(anchors.includes(alert.toLowerCase()), `docs/operating.md has a section ${alert}`)
  }
})

t.test('the PrometheusRule has the same rules, less what is disabled', WITH_PROMETHEUS, async (t) => {
  type Rendered = Manifest & { spec: { groups: { rules: AlertRule[] }[] } }
  const rendered = (values: object) =>
    one<Rendered>(
      render(t, { ...combinations['the least'], prometheusRule: { enabled: true, ...values } }),
      'PrometheusRule',
    )
  const all = rendered({})
  t.same(
    all.spec.groups.flatMap(({ rules }) => rules),
    rules,
  )
  const changed = rendered(combinations['monitored by the operator, with rules and dashboard'].prometheusRule)
  t.equal(changed.metadata.labels?.release, 'prometheus')
  const changedRules = changed.spec.groups.flatMap(({ rules }) => rules)
  t.same(
    changedRules.map(({ alert }) => alert),
    rules.map(({ alert }) => alert).filter((alert) => alert !== 'ScimBridgeClientSilent'),
  )
  for (const { alert, labels, annotations } of changedRules) {
    t.equal(labels.team, 'identity')
    t.equal(
      annotations.runbook_url,
      `https://git.example.com/scim/blob/main/docs/operating.md#${alert.toLowerCase()}`,
    )
  }
  const { status, output } = promtool(
    'check',
    'rules',
    join(t.testdir({ 'r.json': JSON.stringify(changed.spec) }), 'r.json'),
  )
  t.equal(status, 0, output)
})
