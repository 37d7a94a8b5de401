import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHART } from './helm.ts'

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: {
    readonly defaults: {
      readonly mappings?: readonly { readonly options: Readonly<Record<string, { readonly text: string }>> }[]
    }
  }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export const dashboardText = (): string => readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')

export interface Variable {
  readonly name: string
  readonly type: string
  readonly query: string | { readonly query: string }
  readonly allValue?: string
  readonly current: { readonly value?: string }
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

const dashboard = (): Dashboard => JSON.parse(dashboardText()) as Dashboard

export const panels = (): readonly Panel[] => dashboard().panels

/** What one chooses at the top; "all" is chosen at first. */
export const variables = (): readonly Variable[] =>
  dashboard().templating.list.filter(({ type }) => type === 'query')

/** As Grafana would, with all of every variable but those chosen, and a minute for its own interval. */
export function filledIn(expr: string, chosen: Readonly<Record<string, string>> = {}): string {
  const ofVariables = variables().reduce(
    (text, { name, allValue = '' }) => text.replaceAll(`$${name}`, chosen[name] ?? allValue),
    expr,
  )
  return ofVariables.replaceAll('$__rate_interval', '1m')
}

export interface PanelQuery {
  readonly title: string
  readonly expr: string
  /** Labels that the legend shows. */
  readonly legend: readonly string[]
}

export const panelQueries = (): PanelQuery[] =>
  panels().flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({
      title,
      expr,
      legend: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
    })),
  )
