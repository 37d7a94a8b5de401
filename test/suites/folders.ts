import { globSync } from 'node:fs'
import { join } from 'node:path'

const TEST = join(import.meta.dirname, '..')

/** Folders whose files run in one process, by the suite that runs them: to start a process takes longer than most files do. */
export const SUITES = {
  access: ['access'],
  audit: ['audit'],
  conformance: ['conformance'],
  directory: ['directory', 'docs', 'sandbox'],
  e2e: ['e2e'],
  http: ['http'],
  regressions: ['regressions'],
  reliability: ['reliability'],
  rules: ['.', 'scim', 'roles', 'reconcile', 'provisioning', 'campaign-manager'],
  security: ['security'],
  tenants: ['tenants'],
} as const satisfies Record<string, readonly string[]>

/** Files of these folders that have a process of their own all the same: they end processes, wait for long, or change the platform. */
export const APART = [
  'audit/kill.test.ts',
  'audit/parallel.test.ts',
  'e2e/deletion-guard.test.ts',
  'reliability/kill.test.ts',
  'reliability/model.test.ts',
  'reliability/parallel-members.test.ts',
  'reliability/postgres-away.test.ts',
  'reliability/postgres-limits.test.ts',
  'security/frozen-prototypes.test.ts',
  'security/slow-clients.test.ts',
  'security/tenants-in-parallel.test.ts',
]

const filesOf = (folder: string): string[] => globSync(join(folder, '*.test.ts'), { cwd: TEST }).sort()

/** The files of a suite, by their paths from the folder of all tests. */
export const filesIn = (suite: keyof typeof SUITES): string[] =>
  SUITES[suite].flatMap(filesOf).filter((file) => !APART.includes(file))

export async function runSuite(suite: keyof typeof SUITES): Promise<void> {
  for (const file of filesIn(suite)) await import(join(TEST, file))
}
