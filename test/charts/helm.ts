import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseAllDocuments } from 'yaml'

export const CHART = join(import.meta.dirname, '../../charts/campaign-manager-scim')

export type Values = { readonly [key: string]: unknown }

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
}

export function helm(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const ended = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (ended.error) {
    throw new Error(
      'helm is not on the PATH: run "node test/charts/install-helm.ts", or see https://helm.sh',
      {
        cause: ended.error,
      },
    )
  }
  return ended
}

const valuesFile = (t: Test, values: Values): string =>
  join(t.testdir({ 'values.yaml': JSON.stringify(values) }), 'values.yaml')

/** What `helm template` makes of the chart with these values; release and namespace are "scim" unless said. */
export function render(t: Test, values: Values, release?: string, namespace?: string): readonly Manifest[] {
  return manifests(renderText(t, values, release, namespace))
}

export function renderText(t: Test, values: Values, release = 'scim', namespace = 'scim'): string {
  const file = valuesFile(t, values)
  const { status, stdout, stderr } = helm(['template', release, CHART, '--namespace', namespace, '-f', file])
  if (status !== 0) throw new Error(`the chart was refused: ${stderr}`)
  return stdout
}

export function manifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [fault] = [...document.errors, ...document.warnings]
    if (fault) throw fault
    const manifest: unknown = document.toJS()
    return manifest === null ? [] : [manifest as Manifest]
  })
}

/** Why the chart is refused with these values; an error when it is not. */
export function refusal(t: Test, values: Values): string {
  const file = valuesFile(t, values)
  const { status, stderr } = helm(['template', 'scim', CHART, '--namespace', 'scim', '-f', file])
  if (status === 0) throw new Error('the chart was rendered')
  return stderr
}

/** What an installation says at its end. */
export function notes(t: Test, values: Values): string {
  const file = valuesFile(t, values)
  const args = ['install', 'scim', CHART, '--namespace', 'scim', '--dry-run=client', '-f', file]
  const { status, stdout, stderr } = helm(args)
  if (status !== 0) throw new Error(`the chart was refused: ${stderr}`)
  return stdout.slice(stdout.indexOf('\nNOTES:\n') + '\nNOTES:\n'.length)
}

export const lint = (t: Test, values: Values) =>
  helm(['lint', '--strict', CHART, '-f', valuesFile(t, values)])

/** The only object of this kind, or the one whose name ends so. */
export function one<Kind>(objects: readonly Manifest[], kind: string, suffix = ''): Kind {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name.endsWith(suffix))
  if (found.length !== 1) {
    throw new Error(`${found.length} objects are a ${kind} whose name ends in "${suffix}"`)
  }
  return found[0] as Kind
}
