import { setTimeout as pause } from 'node:timers/promises'

/** Looks again and again until `look` answers true; says what it waited for when it gives up, which bounds a run that hangs. */
export async function waitUntil(
  what: string,
  limitMs: number,
  look: () => Promise<boolean> | boolean,
  explain: () => Promise<unknown> | unknown = () => undefined,
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await look())) {
    if (performance.now() > deadline) {
      throw new Error(`waited in vain until ${what}: ${JSON.stringify(await explain())}`)
    }
    await pause(50)
  }
}
