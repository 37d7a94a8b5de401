import { codes } from './markdown.ts'

/** The service's own, with more than a name to be tried. */
const COMMANDS = ['migrate', 'tenant', 'token', 'client', 'drift', 'audit', 'healthcheck']

/** What stands for something of the reader's, and what the test has in its place. */
const PLACEHOLDERS: readonly [RegExp, string][] = [
  [/--name NAME/g, '--name entra'],
  [/NAME|TENANT|--tenant T\b/g, 'default'],
  [/\bGUID\b/g, '8f0c2f2e-6c5c-4d5c-9d43-2f3f3a3d1b11'],
  [/\bID\b/g, '0f0c2f2e-6c5c-4d5c-9d43-2f3f3a3d1b11'],
  [/2819c223-…/g, '2819c223-7f76-453a-919d-413861904646'],
  [/DAYS|\bN\b/g, '30'],
  [/DIRECTORY/g, '8f0c2f2e-6c5c-4d5c-9d43-2f3f3a3d1b11'],
  [/SEQUENCE:HASH/g, `1:${'0'.repeat(64)}`],
  [/SUBJECT|AUDIENCE/g, 'something'],
]

const words = (command: string): string[] => command.split(' ').filter((word) => word !== '')

/** The arguments of each of the service's commands that a page shows, in whichever way. */
export function shownCommands(text: string): string[][] {
  return codes(text).flatMap((code) => {
    const command = code
      .replace(/^(npm run|node src\/main\.ts) /, '')
      .replace(/^(\w+) -- /, '$1 ')
      .replace(/--tenant T\b/g, '--tenant default')
    if (!COMMANDS.includes(words(command)[0] ?? '')) return []
    return [words(PLACEHOLDERS.reduce((shown, [pattern, value]) => shown.replace(pattern, value), command))]
  })
}

/** The names of all scripts that a page runs by npm. */
export const shownScripts = (text: string): string[] =>
  codes(text).flatMap((code) => [...code.matchAll(/\bnpm (?:run )?([a-z:]+)/g)].map(([, name = '']) => name))
