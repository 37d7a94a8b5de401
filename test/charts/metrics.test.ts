import t from 'tap'
import { startBusyService } from './busy-service.ts'
import { panelQueries } from './dashboard.ts'
import { exportedSeries, unexported } from './exposition.ts'
import { alertRules } from './promtool.ts'

t.test('alerts and dashboard go by metrics and labels that the service exports', async (t) => {
  const { metricsUrl } = await startBusyService(t)
  const series = exportedSeries(await (await fetch(metricsUrl)).text())
  t.ok(series.get('scim_bridge_http_request_duration_seconds_bucket')?.has('le'))

  for (const { alert, expr, annotations } of alertRules()) {
    t.same(unexported(expr, series), [], alert)
    const shown = [...annotations.description.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
    const known = new Set([...series.values()].flatMap((labels) => [...labels]).concat('instance'))
    t.same(
      shown.filter((label) => !known.has(label)),
      [],
      `${alert}: labels in its text`,
    )
  }
  for (const { title, expr, legend } of panelQueries()) {
    t.same(unexported(expr, series), [], title)
    t.same(
      legend.filter((label) => !expr.includes(label)),
      [],
      `${title}: labels in its legend`,
    )
  }
})

t.test('a metric or a label that is not exported is noticed', async (t) => {
  const series = exportedSeries('# TYPE scim_bridge_a gauge\nscim_bridge_a{kind="x"} 1\n')
  t.same(unexported('sum by (kind) (scim_bridge_a{job="j"})', series), [])
  t.same(unexported('scim_bridge_b', series), ['scim_bridge_b'])
  const grouped = 'sum by (sort) (scim_bridge_a)'
  t.same(unexported(grouped, series), [`the label sort in ${grouped}`])
  t.same(unexported('scim_bridge_a{sort="x"}', series), ['the label sort in scim_bridge_a{sort="x"}'])
})

t.test('every metric of the service is on the dashboard or in an alert', async (t) => {
  const { metricsUrl } = await startBusyService(t)
  const text = await (await fetch(metricsUrl)).text()
  const names = [...text.matchAll(/^# TYPE (scim_bridge_\w+) /gm)].map(([, name = '']) => name)
  const used = [...alertRules(), ...panelQueries()].map(({ expr }) => expr).join('\n')
  t.ok(names.length > 10)
  t.same(
    names.filter((name) => !used.includes(name)),
    [],
  )
})
