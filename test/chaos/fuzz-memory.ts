import type { ServiceProcess } from '../support/service-process.ts'
import { memoryOf } from './memory.ts'

export interface MemorySample {
  /** What is reachable, of the heap and outside of it, and what the process has; in MiB. */
  readonly reachable: number
  readonly resident: number
}

/** Has the process collect its garbage and print what is left whenever it gets SIGUSR2. */
export const TELL_MEMORY: readonly string[] = [
  '--expose-gc',
  `--import=data:text/javascript,${encodeURIComponent(`
    let samples = 0
    process.on('SIGUSR2', () => {
      gc()
      gc()
      const { heapUsed, external } = process.memoryUsage()
      process.stderr.write('memory ' + ++samples + ': ' + (heapUsed + external) + '\\n')
    })`)}`,
]

/** Whatever a process says on stderr beside its address and its memory is a fault. */
export const unexpectedOutput = (stderr: string): string =>
  stderr.replaceAll(/^(memory \d+: \d+|SCIM .*)\n/gm, '')

/** Samples of a process that was started with TELL_MEMORY. */
export function sampleMemory({ child, printed }: ServiceProcess): () => Promise<MemorySample> {
  let samples = 0
  return async () => {
    samples += 1
    child.kill('SIGUSR2')
    const [, bytes] = await printed(new RegExp(`^memory ${samples}: (\\d+)$`, 'm'))
    const resident = (await memoryOf(child.pid))?.now ?? 0
    return { reachable: Number(bytes) / 1024 / 1024, resident }
  }
}
