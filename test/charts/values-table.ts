// Writes the table of values into the chart's README: `node test/charts/values-table.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const CHART = join(import.meta.dirname, '../../charts/campaign-manager-scim')
const BLOCK = /(?<=<!-- values -->\n)[\s\S]*?(?=<!-- \/values -->)/

export interface DocumentedValue {
  readonly path: string
  readonly description: string
  readonly value: unknown
}

/** The values that stand below a line "# -- …", in the file's order. */
export function documentedValues(text: string): DocumentedValue[] {
  const values: unknown = parse(text)
  const keys: { indent: number; key: string }[] = []
  const found: DocumentedValue[] = []
  let description: string | undefined
  for (const line of text.split('\n')) {
    const comment = /^\s*# -- (.*)$/.exec(line)
    const entry = /^(\s*)([A-Za-z][\w.]*):/.exec(line)
    if (comment) description = comment[1]
    if (!entry) continue
    const [, indent = '', key = ''] = entry
    while ((keys.at(-1)?.indent ?? -1) >= indent.length) keys.pop()
    keys.push({ indent: indent.length, key })
    if (description === undefined) continue
    const path = keys.map(({ key }) => key)
    found.push({ path: path.join('.'), description, value: valueAt(values, path) })
    description = undefined
  }
  return found
}

const valueAt = (values: unknown, path: readonly string[]): unknown =>
  path.reduce((value, key) => (value as Record<string, unknown>)[key], values)

/** The README with the table of these values in its place. */
export function withTable(readme: string, valuesText: string): string {
  const rows = documentedValues(valuesText).map(
    ({ path, value, description }) => `| \`${path}\` | ${shown(value)} | ${description} |\n`,
  )
  return readme.replace(BLOCK, () => `| value | default | meaning |\n|---|---|---|\n${rows.join('')}`)
}

const shown = (value: unknown): string => (value === '' ? '' : `\`${JSON.stringify(value)}\``)

export const readChart = (name: string): string => readFileSync(join(CHART, name), 'utf8')

if (import.meta.main) {
  writeFileSync(join(CHART, 'README.md'), withTable(readChart('README.md'), readChart('values.yaml')))
}
