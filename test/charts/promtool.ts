import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { CHART } from './helm.ts'

export const ALERTS_FILE = join(CHART, 'files/alerts.yaml')

/** By which the file's rules know the service; a release's own take its place. */
export const ANY_RELEASE = 'job=~"(.*-)?campaign-manager-scim"'

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: {
    readonly summary: string
    readonly description: string
    readonly runbook_url: string
  }
}

export function alertRules(): AlertRule[] {
  const { groups } = parse(readFileSync(ALERTS_FILE, 'utf8')) as { groups: { rules: AlertRule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

const isInstalled = ['promtool', 'prometheus'].every((name) => !spawnSync(name, ['--version']).error)

/** For tests that need Prometheus, which no npm package ships. CI installs it, and does not go without. */
export const WITH_PROMETHEUS = {
  skip:
    !isInstalled && !process.env.CI && 'Prometheus is not on the PATH (Debian: "apt-get install prometheus")',
}

export function promtool(...args: string[]): { status: number | null; output: string } {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  if (error) throw error
  return { status, output: stdout + stderr }
}

/**
 * One run for all of these tests, with the rules of these files by name: promtool says which one is not as expected.
 *
 * @param interval of the evaluations, all of whose rules promtool goes through for each test
 */
export function testRules(
  t: Test,
  rules: Readonly<Record<string, string>>,
  tests: readonly unknown[],
  interval = '1m',
): { status: number | null; output: string } {
  const file = { rule_files: Object.keys(rules), evaluation_interval: interval, tests }
  const folder = t.testdir({ ...rules, 'test.yaml': JSON.stringify(file) })
  return promtool('test', 'rules', join(folder, 'test.yaml'))
}
