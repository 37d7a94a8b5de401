// Writes docs/settings.md: `node test/docs/settings-page.ts`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TSchema } from '@sinclair/typebox'
import { environmentName, settingSections, TENANT_SETTINGS } from '../../src/settings.ts'

export const SETTINGS_PAGE = join(import.meta.dirname, '../../docs/settings.md')

const INTRODUCTION = `# Settings

Environment variables. A secret (*) may also be given as \`NAME_FILE\`, the path of a file that holds the value. An empty value counts as
none. A wrong setting stops the start with exit status 2 and one line per fault. What a tenant may have of its own (†) is changed with
\`tenant settings\`. This page is made from \`src/settings.ts\`.
`

const ofTenant: ReadonlySet<string> = new Set(TENANT_SETTINGS)

const shown = (value: unknown): string => {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'none'
  if (typeof value === 'boolean') return value ? '`on`' : '`off`'
  return `\`${value}\``
}

/** What a value must be, without the verb that its fault's sentence needs. */
const kind = ({ must }: TSchema): string =>
  String(must).replace(/^be /, '').replaceAll('"', '`').replaceAll('|', '\\|')

function row(setting: string, schema: TSchema): string {
  const marks = `${schema.secret ? ' *' : ''}${ofTenant.has(setting) ? ' †' : ''}`
  const cells = [`\`${environmentName(setting)}\`${marks}`, kind(schema), shown(schema.default)]
  return `| ${[...cells, schema.description].join(' | ')} |\n`
}

export function settingsPage(): string {
  const sections = Object.entries(settingSections).map(([heading, settings]) => {
    const rows = Object.entries(settings).map(([setting, schema]) => row(setting, schema))
    return `\n## ${heading}\n\n| name | value | default | meaning |\n|---|---|---|---|\n${rows.join('')}`
  })
  return INTRODUCTION + sections.join('')
}

if (import.meta.main) writeFileSync(SETTINGS_PAGE, settingsPage())
