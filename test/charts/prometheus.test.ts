import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startTestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { startBusyService } from './busy-service.ts'
import { filledIn, type Panel, panelQueries, panels, variables } from './dashboard.ts'
import { ALERTS_FILE, alertRules, testRules, WITH_PROMETHEUS } from './promtool.ts'

interface QueryAnswer {
  readonly status: string
  readonly error?: string
  readonly data?: { readonly result: readonly { readonly value: [number, string] }[] }
}

interface ScrapeConfig {
  readonly job_name: string
  readonly static_configs: readonly {
    readonly targets: readonly string[]
    readonly labels?: Readonly<Record<string, string>>
  }[]
}

/** A real Prometheus that scrapes these targets and evaluates the chart's rules. */
async function startPrometheus(t: Test, scrape_configs: readonly ScrapeConfig[]) {
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [ALERTS_FILE],
    scrape_configs,
  }
  const folder = t.testdir({ 'prometheus.yml': JSON.stringify(config), data: {} })
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const listening = until(
    'Prometheus listens',
    () => /msg="Listening on" address=(\S+)/.exec(log)?.[1],
    () => log,
  )
  const address = await Promise.race([
    listening,
    ended.then(() => Promise.reject(new Error(`Prometheus ended: ${log}`))),
  ])
  // It answers before it has read what is stored.
  await until('Prometheus is ready', async () => (await fetch(`http://${address}/-/ready`)).ok)
  const get = async <Answer>(path: string): Promise<Answer> =>
    (await (await fetch(`http://${address}/api/v1/${path}`)).json()) as Answer
  return {
    get,
    query: (expr: string) => get<QueryAnswer>(`query?query=${encodeURIComponent(expr)}`),
  }
}

t.test(
  'a Prometheus scrapes the service, and every query of the dashboard returns data',
  WITH_PROMETHEUS,
  async (t) => {
    const service = await startBusyService(t)
    const { host } = new URL(service.metricsUrl)
    const prometheus = await startPrometheus(t, [
      { job_name: 'campaign-manager-scim', static_configs: [{ targets: [host] }] },
    ])

    await until(
      'the service is scraped',
      async () => (await prometheus.query('up{job="campaign-manager-scim"} == 1')).data?.result.length === 1,
      () => prometheus.get('targets'),
    )
    // A rate is the difference of two scrapes.
    await service.keepBusy(1)

    for (const { title, expr } of panelQueries()) {
      const result = await until(
        `the panel "${title}" has data`,
        async () => {
          const { status, error, data } = await prometheus.query(filledIn(expr))
          if (status !== 'success') throw new Error(`${title}: ${error}`)
          const known = data?.result.filter(({ value }) => value[1] !== 'NaN') ?? []
          return known.length > 0 && known
        },
        () => expr,
      )
      t.ok(result.length > 0, title)
    }

    type Rules = { data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] } }
    const evaluated = await until('every rule was evaluated', async () => {
      const { data } = await prometheus.get<Rules>('rules')
      const rules = data.groups.flatMap(({ rules }) => rules)
      return rules.every(({ health }) => health !== 'unknown') && rules
    })
    t.same(
      evaluated.map(({ name, health, lastError }) => `${name} ${health} ${lastError ?? ''}`).sort(),
      alertRules()
        .map(({ alert }) => `${alert} ok `)
        .sort(),
    )
  },
)

t.test(
  'the dashboard counts the service alone, and each namespace and job that is chosen',
  WITH_PROMETHEUS,
  async (t) => {
    const service = await startTestService(t, { env: { METRICS_PORT: '0' } })
    const { host } = new URL(`${service.running.urls.metrics}`)
    const targets = [host]
    const prometheus = await startPrometheus(t, [
      // As in Kubernetes, two of one name and one of another; then one without Kubernetes, and what else there is.
      {
        job_name: 'campaign-manager-scim',
        static_configs: ['sales', 'marketing'].map((namespace) => ({ targets, labels: { namespace } })),
      },
      {
        job_name: 'crm-campaign-manager-scim',
        static_configs: [{ targets, labels: { namespace: 'sales' } }, { targets }],
      },
      { job_name: 'prometheus', static_configs: [{ targets }] },
      { job_name: 'campaign-manager', static_configs: [{ targets, labels: { namespace: 'sales' } }] },
    ])
    const value = async (expr: string): Promise<string | undefined> =>
      (await prometheus.query(expr)).data?.result[0]?.value[1]
    await until('everything is scraped', async () => (await value('sum(up)')) === '6')

    const [processes] = panelQueries().filter(({ title }) => title === 'Processes')
    const count = (chosen: Readonly<Record<string, string>>) => value(filledIn(processes?.expr ?? '', chosen))
    t.equal(await count({}), '4', 'all')
    t.equal(await count({ namespace: 'sales' }), '2')
    t.equal(await count({ namespace: 'sales', job: 'campaign-manager-scim' }), '1')
    t.equal(await count({ job: 'crm-campaign-manager-scim' }), '2')

    // label_values(SELECTOR, LABEL) is what Grafana asks Prometheus for.
    const choices = async (name: string, chosen: Readonly<Record<string, string>> = {}) => {
      const { query } = variables().find((each) => each.name === name) ?? {}
      const text = typeof query === 'object' ? query.query : ''
      const [, selector = '', label] = /^label_values\((.*), (\w+)\)$/.exec(text) ?? []
      const match = encodeURIComponent(filledIn(selector, chosen))
      return (await prometheus.get<{ data: string[] }>(`label/${label}/values?match[]=${match}`)).data
    }
    t.same(await choices('namespace'), ['marketing', 'sales'])
    t.same(await choices('job', { namespace: 'marketing' }), ['campaign-manager-scim'])
    t.ok((await choices('job')).includes('crm-campaign-manager-scim'))
  },
)

t.test(
  'every query of the dashboard goes by what is chosen at its top, and all is chosen at first',
  async (t) => {
    t.same(
      variables().map(({ name, current }) => [name, current.value]),
      [
        ['namespace', '$__all'],
        ['job', '$__all'],
      ],
    )
    for (const { title, expr } of panelQueries()) {
      const read = [...expr.matchAll(/\b(?:up|(?:scim_bridge|process|nodejs)_\w+)\b/g)]
      t.ok(read.length > 0, title)
      for (const { 0: name, index } of read) {
        const selector = expr.slice(index + name.length)
        t.ok(selector.startsWith('{namespace=~"$namespace", job=~"$job"'), `${title}: ${name}`)
      }
    }
  },
)

t.test('the dashboard begins with what is healthy, the database among it', async (t) => {
  const [line = [], next = []] = ['Is it healthy?', 'Is it behind?'].map((row) =>
    panels().filter(({ title }) => title === row),
  )
  const healthy = panels().filter(
    ({ type, gridPos: { y } }) =>
      type === 'stat' && y > (line[0]?.gridPos.y ?? 0) && y < (next[0]?.gridPos.y ?? 0),
  )
  t.same(
    healthy.map(({ title }) => title),
    [
      'Processes',
      'Database',
      'Campaign Manager',
      'API key',
      'SCIM server errors',
      'Next credential expires in',
    ],
  )
})

t.test('the dashboard says whether all, some or none reach the database', WITH_PROMETHEUS, async (t) => {
  const database = panels().find(({ title }) => title === 'Database')
  const [{ expr = '' } = {}] = database?.targets ?? []
  const texts = database?.fieldConfig?.defaults.mappings?.[0]?.options ?? {}
  const shown = (text: string, ...processes: readonly number[]) => {
    const [value] = Object.entries(texts).find(([, option]) => option.text === text) ?? []
    return {
      name: text,
      interval: '1m',
      input_series: processes.map((up, instance) => ({
        series: `scim_bridge_database_up{job="campaign-manager-scim", instance="${instance}"}`,
        values: `${up}x5`,
      })),
      promql_expr_test: [
        { expr: filledIn(expr), eval_time: '1m', exp_samples: [{ labels: '{}', value: Number(value) }] },
      ],
    }
  }
  const situations = [shown('away', 0, 0), shown('away for some', 0, 1), shown('reached', 1, 1)]
  const { status, output } = testRules(t, {}, situations)
  t.equal(status, 0, output)
})

t.test('the dashboard answers three questions, and no panel lies on another', async (t) => {
  const rows = panels().filter(({ type }) => type === 'row')
  t.same(
    rows.map(({ title }) => title),
    ['Is it healthy?', 'Is it behind?', 'Who is affected?'],
  )
  t.equal(new Set(panels().map(({ id }) => id)).size, panels().length)
  const overlap = ({ gridPos: a }: Panel, { gridPos: b }: Panel) =>
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
  for (const panel of panels()) {
    t.ok(panel.gridPos.x + panel.gridPos.w <= 24, panel.title)
    const others = panels().filter((other) => other.id !== panel.id && overlap(panel, other))
    t.same(
      others.map(({ title }) => title),
      [],
      `${panel.title} has its place`,
    )
  }
})
