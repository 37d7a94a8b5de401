import type { Workload } from './workload.ts'

const ALLOWED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]

/** What the Pod Security Standard "restricted" has against a pod (kubernetes.io/docs/concepts/security/pod-security-standards). */
export function restrictedFaults({ name, pod, container }: Workload): string[] {
  const security = container.securityContext
  const rules: [string, boolean][] = [
    ['shares no namespace of the host', !pod.hostNetwork && !pod.hostPID && !pod.hostIPC],
    ['has no host port', (container.ports ?? []).every(({ hostPort }) => hostPort === undefined)],
    ['is not privileged', security?.privileged !== true],
    ['allows no privilege escalation', security?.allowPrivilegeEscalation === false],
    ['drops all capabilities', security?.capabilities?.drop?.includes('ALL') === true],
    ['adds no capability', (security?.capabilities?.add ?? []).length === 0],
    ['does not run as root', pod.securityContext?.runAsNonRoot === true],
    ['has a user that is not root', pod.securityContext?.runAsUser !== 0],
    ['has a seccomp profile', pod.securityContext?.seccompProfile?.type === 'RuntimeDefault'],
    [
      'has only volumes that are allowed',
      (pod.volumes ?? []).every((volume) =>
        Object.keys(volume).every((key) => key === 'name' || ALLOWED_VOLUMES.includes(key)),
      ),
    ],
  ]
  return rules.filter(([, holds]) => !holds).map(([rule]) => `${name}: ${rule}`)
}
