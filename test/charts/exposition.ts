/** What a process exports: labels by the name of each series, with the histograms' own. */
export function exportedSeries(text: string): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>()
  const labelsOf = (name: string) => {
    const labels = series.get(name) ?? new Set()
    series.set(name, labels)
    return labels
  }
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\w+) (\w+)$/.exec(line)
    const parts = type?.[2] === 'histogram' ? ['_bucket', '_count', '_sum'] : ['']
    if (type) for (const part of parts) labelsOf(`${type[1]}${part}`)
    const sample = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line)
    if (!sample) continue
    const labels = labelsOf(sample[1] ?? '')
    for (const [, label = ''] of (sample[2] ?? '').matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) labels.add(label)
  }
  return series
}

/** Prometheus adds these itself, or the monitors do. */
const FROM_PROMETHEUS = ['job', 'namespace', 'instance', 'component']

export interface Query {
  readonly metrics: readonly string[]
  readonly labels: readonly string[]
}

/** The service's metrics that a query reads, and the labels that it goes by. */
export function parseQuery(expr: string): Query {
  const metrics = new Set([...expr.matchAll(/\b(?:scim_bridge|process|nodejs)_\w+/g)].map(([name]) => name))
  const matchers = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = '']) =>
    [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  )
  const groups = [...expr.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g)].flatMap(([, inside = '']) =>
    inside.split(',').map((label) => label.trim()),
  )
  const labels = new Set([...matchers, ...groups].filter((label) => !FROM_PROMETHEUS.includes(label)))
  return { metrics: [...metrics], labels: [...labels] }
}

/** What a query names that the service does not export. */
export function unexported(expr: string, series: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const { metrics, labels } = parseQuery(expr)
  const missing = metrics.filter((metric) => !series.has(metric))
  const unlabelled = labels.filter((label) => !metrics.some((metric) => series.get(metric)?.has(label)))
  return [...missing, ...unlabelled.map((label) => `the label ${label} in ${expr}`)]
}
