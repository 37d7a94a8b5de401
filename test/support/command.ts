import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { runCommandLine } from '../../src/cli/command-line.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCommand {
  readonly child: ChildProcess
  /** Resolves with the match once stderr or stdout shows it; rejects when the command ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  ended: Promise<Ended>
}

/** Starts the service's command line as its users do. Only the given environment and PATH reach it. */
export function startCommand(
  t: Test,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  nodeArgs: readonly string[] = [],
): RunningCommand {
  // The test runner's hooks, which it puts into NODE_OPTIONS of every child, would cost a quarter of the start.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...nodeArgs, MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  const listeners = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      for (const listener of listeners) listener()
    })
  }
  const ended = once(child, 'close').then(([status, signal]): Ended => ({ status, signal, ...output }))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(output.stderr) ?? pattern.exec(output.stdout)
        if (!match) return
        listeners.delete(look)
        resolve(match)
      }
      listeners.add(look)
      look()
      void ended.then(({ status, stderr }) =>
        reject(new Error(`ended with status ${status} before it printed ${pattern}: ${stderr}`)),
      )
    })
  return { child, printed, ended }
}

export const runCommand = (
  t: Test,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> => startCommand(t, args, env).ended

/** Runs a command as `runCommand` does, but in this process: a start of its own takes longer than most commands. */
export async function callCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Omit<Ended, 'signal'>> {
  const output = { stdout: '', stderr: '' }
  const status = await runCommandLine(args, {
    // The log would go to this process's own stdout, among the results.
    env: { LOG_LEVEL: 'silent', ...env },
    out: (text) => {
      output.stdout += text
    },
    err: (text) => {
      output.stderr += text
    },
    stopRequested: new Promise(() => {}),
  })
  return { status, ...output }
}
