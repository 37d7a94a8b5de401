import { setTimeout as pause } from 'node:timers/promises'

/** Generous: it bounds a test that hangs and says nothing about speed. */
const DEADLINE_MS = 60_000
const LOOK_EVERY_MS = 15

/** Looks again and again until `look` answers something true, and returns that; on giving up, says what it waited for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | false | undefined> | T | false | undefined,
  explain: () => Promise<unknown> | unknown = () => undefined,
): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const seen = await look()
    if (seen !== false && seen !== undefined) return seen
    if (performance.now() > deadline) {
      throw new Error(`waited in vain until ${what}: ${JSON.stringify(await explain())}`)
    }
    await pause(LOOK_EVERY_MS)
  }
}
