import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../support/until.ts'
import { startBusyService } from './busy-service.ts'
import { type Panel, panelQueries, panels } from './dashboard.ts'
import { ALERTS_FILE, alertRules, WITH_PROMETHEUS } from './promtool.ts'

interface QueryAnswer {
  readonly status: string
  readonly error?: string
  readonly data?: { readonly result: readonly { readonly value: [number, string] }[] }
}

/** A real Prometheus that scrapes one target and evaluates the chart's rules. */
async function startPrometheus(t: Test, metricsUrl: string) {
  const { host } = new URL(metricsUrl)
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [ALERTS_FILE],
    scrape_configs: [{ job_name: 'campaign-manager-scim', static_configs: [{ targets: [host] }] }],
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

/** As Grafana would, with every job, and a minute for its own interval. */
const filledIn = (expr: string): string => expr.replaceAll('$job', '.+').replaceAll('$__rate_interval', '1m')

t.test(
  'a Prometheus scrapes the service, and every query of the dashboard returns data',
  WITH_PROMETHEUS,
  async (t) => {
    const service = await startBusyService(t)
    const prometheus = await startPrometheus(t, service.metricsUrl)

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
