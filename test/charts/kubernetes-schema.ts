import * as gateway from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1'
import * as prometheus from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as batch from 'kubernetes-models/batch/v1'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import type { Manifest } from './helm.ts'

interface Model {
  readonly apiVersion: string
  readonly kind: string
  readonly prototype: { validate(): void }
}

const models: readonly Model[] = [
  apps.Deployment,
  autoscaling.HorizontalPodAutoscaler,
  batch.Job,
  core.ConfigMap,
  core.Service,
  core.ServiceAccount,
  gateway.HTTPRoute,
  networking.Ingress,
  networking.NetworkPolicy,
  policy.PodDisruptionBudget,
  prometheus.PodMonitor,
  prometheus.PrometheusRule,
  prometheus.ServiceMonitor,
]
/** What Kubernetes' own schema, or that of the resource's definition, has against an object; empty when nothing. */
export function schemaFaults(manifest: Manifest): string[] {
  const model = models.find(
    ({ apiVersion, kind }) => apiVersion === manifest.apiVersion && kind === manifest.kind,
  )
  if (!model) return [`no schema is known for ${manifest.apiVersion} ${manifest.kind}`]
  const watched = watch(manifest, '')
  try {
    // Not through an instance, whose constructor copies, and so asks for everything.
    model.prototype.validate.call(watched.data)
  } catch (error) {
    return [(error as Error).message]
  }
  return watched.unread()
}

interface Watched {
  readonly data: unknown
  /** Paths of the fields that nobody asked for. */
  unread(): string[]
}

/**
 * The schemas allow fields that they do not know, as their format does, and a typing error would pass. A validator asks an object
 * for every field that its schema knows; what it never asks for is unknown. An object that is asked for nothing is free.
 */
function watch(value: unknown, path: string): Watched {
  if (typeof value !== 'object' || value === null) return { data: value, unread: () => [] }
  const parts = Object.entries(value).map(([key, part]) => [key, watch(part, `${path}/${key}`)] as const)
  const asked = new Set<string | symbol>()
  const copy = Array.isArray(value)
    ? parts.map(([, part]) => part.data)
    : Object.fromEntries(parts.map(([key, part]) => [key, part.data]))
  const data = new Proxy(copy, {
    get(target, key, receiver) {
      asked.add(key)
      return Reflect.get(target, key, receiver)
    },
  })
  const unread = () =>
    asked.size === 0
      ? []
      : parts.flatMap(([key, part]) => (asked.has(key) ? part.unread() : [`no schema knows ${path}/${key}`]))
  return { data, unread }
}
