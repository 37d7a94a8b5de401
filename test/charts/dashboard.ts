import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHART } from './helm.ts'

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export const dashboardText = (): string => readFileSync(join(CHART, 'files/dashboard.json'), 'utf8')

export const panels = (): readonly Panel[] => (JSON.parse(dashboardText()) as { panels: Panel[] }).panels

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
