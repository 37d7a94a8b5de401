import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

const CHART = 'charts/campaign-manager-scim'

/** Everything that is written for users, by its path from the root. */
export const PAGES = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  `${CHART}/README.md`,
]

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const FENCE = /^ *```(\w*)\n([\s\S]*?)^ *```$/gm

/** The text without its blocks of code, in which brackets and hashes mean something else. */
const prose = (text: string): string => text.replace(FENCE, '')

/** The targets of all links. */
export const links = (text: string): string[] =>
  [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)

/** The anchors of all headings, as GitHub makes them. */
export const anchors = (text: string): string[] =>
  [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

/** The blocks of code of this language. */
export const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(FENCE)].flatMap(([, found, code = '']) => (found === language ? [code] : []))

/** What stands between backticks, and each line of the blocks of shell commands, without their comments. */
export const codes = (text: string): string[] => [
  ...[...prose(text).matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replace(/\s+/g, ' ').trim()),
  ...blocks(text, 'sh').flatMap((block) =>
    block
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/(^|\s)#.*$/, '').trim()),
  ),
]
