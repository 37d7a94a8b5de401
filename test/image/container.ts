import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Image } from './image.ts'

/** How far this machine lets a process be shut in as a container would be. */
export interface Confinement {
  readonly otherUser: boolean
  /** A mount of its own that is read-only, and a process tree in which it is process 1. */
  readonly namespaces: boolean
}

export interface Container {
  /** Everything it has printed so far. */
  readonly output: () => string
  /** Resolves once it has printed this; rejects when it ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** As `docker stop` does. */
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null }>
}

export type Run = (command: readonly string[], env?: Readonly<Record<string, string>>) => Container

const isRoot = process.getuid?.() === 0
const NAMESPACES = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child']

export function findConfinement(): Confinement {
  const works = (program: string, ...args: string[]) => spawnSync(program, args).status === 0
  return {
    otherUser: isRoot && works('setpriv', '--version'),
    namespaces:
      isRoot &&
      works('unshare', ...NAMESPACES, 'sh', '-c', 'mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp'),
  }
}

/** Makes what was built read-only and puts the Node.js that runs this where the base image has it. */
export function seal({ root }: Image): void {
  const bin = join(root, 'usr/local/bin')
  const node = join(bin, 'node')
  mkdirSync(bin, { recursive: true })
  if (!existsSync(node)) placeNode(node)
  execFileSync('chmod', ['-R', 'a-w', join(root, 'app')])
}

/** A link is quicker, but not possible between two file systems, and no use where only the owner may run what it leads to. */
function placeNode(node: string): void {
  const isForAll = (statSync(process.execPath).mode & 0o005) === 0o005
  try {
    if (!isForAll) throw new Error(`${process.execPath} is for its owner alone`)
    linkSync(process.execPath, node)
  } catch {
    copyFileSync(process.execPath, node)
    chmodSync(node, 0o755)
  }
}

/** Runs commands as the image would have them run: its user, its environment and nothing else, its folder, no writing. */
export function containerRunner(image: Image, confinement: Confinement): Run {
  return (command, env = {}) => {
    const [program = '', ...args] = command
    const words = [...enterImage(image, confinement, { ...image.env, ...env }), program, ...args]
    const [first = '', ...rest] = words
    const child = spawn(first, rest, {
      cwd: join(image.root, image.workdir),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return watch(child, confinement.namespaces)
  }
}

function enterImage(
  { root, user, workdir }: Image,
  { otherUser, namespaces }: Confinement,
  env: Readonly<Record<string, string>>,
): string[] {
  const [uid = '', gid = uid] = user.split(':')
  const path = `${join(root, 'usr/local/bin')}`
  const environment = [
    'env',
    '-i',
    `PATH=${path}`,
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ]
  // env looks for its program in the PATH that it sets, hence its own is given whole.
  const asUser = otherUser
    ? [
        'setpriv',
        `--reuid=${uid}`,
        `--regid=${gid}`,
        '--clear-groups',
        '--no-new-privs',
        '--inh-caps=-all',
        '--bounding-set=-all',
      ]
    : []
  const inner = [...asUser, ...environment]
  if (!namespaces) return inner
  const script =
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1$2" && shift 2 && exec "$@"'
  return ['unshare', ...NAMESPACES, '/bin/sh', '-c', script, 'sh', root, workdir, ...inner]
}

function watch(child: ChildProcess, hasOwnProcesses: boolean): Container {
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const listener of listeners) listener()
    })
  }
  const ended = once(child, 'close').then(([status, signal]) => ({ status, signal }))
  return {
    output: () => output,
    ended,
    // Process 1 of its own tree is a child of the command that made the tree.
    signal: (name) => process.kill(hasOwnProcesses ? childOf(child.pid) : (child.pid ?? 0), name),
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(output)
          if (!match) return
          listeners.delete(look)
          resolve(match)
        }
        listeners.add(look)
        look()
        void ended.then(({ status }) =>
          reject(new Error(`ended with status ${status} before it printed ${pattern}: ${output}`)),
        )
      }),
  }
}

function childOf(pid: number | undefined): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  if (!child) throw new Error(`process ${pid} has no child`)
  return Number(child)
}
