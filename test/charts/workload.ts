import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IJob } from 'kubernetes-models/batch/v1'
import type { IContainer, IPodSpec } from 'kubernetes-models/v1'
import { type Config, loadConfig } from '../../src/config.ts'
import type { Manifest } from './helm.ts'

export interface Workload {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly pod: IPodSpec
  readonly container: IContainer
}

/** Everything that runs, by the component it says it is. */
export function workloads(objects: readonly Manifest[]): Record<string, Workload> {
  const running = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
  return Object.fromEntries(
    running.map((object) => {
      const template = (object as unknown as IDeployment | IJob).spec?.template
      const container = template?.spec?.containers[0]
      if (!template?.spec || !container) throw new Error(`${object.metadata.name} runs no container`)
      const labels = template.metadata?.labels ?? {}
      const annotations = template.metadata?.annotations ?? {}
      const workload = { name: object.metadata.name, labels, annotations, pod: template.spec, container }
      return [labels['app.kubernetes.io/component'] ?? 'none', workload]
    }),
  )
}

export function workload(objects: readonly Manifest[], component: string): Workload {
  const found = workloads(objects)[component]
  if (!found) throw new Error(`nothing runs as ${component}`)
  return found
}

const SECRETS: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://scim:secret@postgres.example.com/scim',
  ENCRYPTION_KEY: '0123456789abcdef'.repeat(4),
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret',
}

/** A container's environment, with what comes from elsewhere left out. */
export const environment = ({ container }: Workload): Record<string, string> =>
  Object.fromEntries(
    (container.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
  )

/** Whether a path of the container is in one of its mounts, and which file of which volume it is. */
export function mountedFile({ container, pod }: Workload, path: string) {
  const mount = container.volumeMounts?.find(({ mountPath }) => path.startsWith(`${mountPath}/`))
  const volume = pod.volumes?.find(({ name }) => name === mount?.name)
  return mount && volume && { volume, mount, path: path.slice(mount.mountPath.length + 1) }
}

/** The settings that the service itself takes from a container's environment; throws what its start would print. */
export function configOf(running: Workload, schemaExtensions = '[]'): Config {
  return loadConfig(environment(running), (path) => {
    const file = mountedFile(running, path)
    if (file?.volume.configMap) return schemaExtensions
    const secret = file?.volume.projected?.sources
      ?.flatMap((source) => source.secret?.items ?? [])
      .find((item) => item.path === file.path)
    if (!secret || !file) throw Object.assign(new Error(`nothing is mounted at ${path}`), { code: 'ENOENT' })
    return SECRETS[file.path] ?? 'a-secret-of-more-than-thirty-two-characters'
  })
}
