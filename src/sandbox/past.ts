/** A replica that lacks the last change answers with what was before it; undefined when that was nothing. */
export type Before<T> = { before: T | undefined }

const KEEP_MS = 60_000

/** What each key stood for before its last change, as long as a replica may still not know of that change. */
export class Past<T> {
  readonly #changes = new Map<string, { before: T | undefined; at: number }>()
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
  }

  changed(key: string, before: T | undefined): void {
    const at = this.#now().getTime()
    // Set anew, so that the map stays in the order of changes.
    this.#changes.delete(key)
    this.#changes.set(key, { before, at })
    for (const [old, change] of this.#changes) {
      if (change.at >= at - KEEP_MS) break
      this.#changes.delete(old)
    }
  }

  /** Undefined when the last change is older than that. */
  before(key: string, withinMs: number): Before<T> | undefined {
    const change = this.#changes.get(key)
    return change !== undefined && change.at > this.#now().getTime() - withinMs ? change : undefined
  }
}
