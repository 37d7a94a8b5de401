import type { Random } from './figures.ts'

/** A resource as an answer told of it last. */
export interface Known {
  readonly id: string
  readonly version: string
}

/** Keeps the choice small enough that requests meet at the same resources. */
const MOST = 200
const NOBODY: Known = { id: '00000000-0000-4000-8000-000000000000', version: 'W/"1"' }

/** The resources and cursors that the answers so far told of, for the requests to come. */
export class FuzzDirectory {
  readonly #known = { User: [] as Known[], Group: [] as Known[] }
  readonly #nextPages: string[] = []
  readonly #choose: Random
  readonly #random: Random

  /**
   * @param choose for what a request is about, drawn from as often whatever is known
   * @param random for what is kept, since answers come in any order
   */
  constructor(choose: Random, random: Random) {
    this.#choose = choose
    this.#random = random
  }

  one(type: 'User' | 'Group'): Known {
    const all = this.#known[type]
    return all[this.#choose(MOST) % Math.max(1, all.length)] ?? NOBODY
  }

  nextPage(): string | undefined {
    return this.#nextPages[this.#choose(MOST) % Math.max(1, this.#nextPages.length)]
  }

  /** Takes the answer to a request without a body for the target, or to another one, into account. */
  learn(method: string, target: string, status: number, body: unknown): void {
    if (status === 404 || (status === 204 && method === 'DELETE')) this.#forget(target)
    if (typeof body !== 'object' || body === null || status >= 300) return
    const { Resources: listed, nextCursor, ...whole } = body as Record<string, unknown>
    for (const each of Array.isArray(listed) ? listed.slice(0, 3) : [whole]) this.#note(each)
    if (typeof nextCursor === 'string' && method === 'GET') {
      keep(this.#random, this.#nextPages, withCursor(target, nextCursor))
    }
  }

  /**
   * A value whose placeholders (test/fixtures/README.md) stand for resources that are there. Those for further answers, which
   * nobody has kept, stand for an id or a version.
   */
  fill<Value>(value: Value): Value {
    const chosen = new Map<string, Known>()
    const knownAs = (name: string): Known => {
      const known = chosen.get(name) ?? this.one(name.startsWith('groups') ? 'Group' : 'User')
      chosen.set(name, known)
      return known
    }
    const filled = JSON.stringify(value ?? null).replaceAll(
      /\{\{(\w+\.\d+)\.([^{}]+)\}\}/g,
      (_whole, name: string, path: string) => {
        const { id, version } = knownAs(name)
        // Within a JSON text.
        return JSON.stringify(path.endsWith('version') ? version : id).slice(1, -1)
      },
    )
    return JSON.parse(filled)
  }

  #note(resource: unknown): void {
    const { id, meta } = resource as { id?: unknown; meta?: { resourceType?: string; version?: string } }
    const type = meta?.resourceType
    if (typeof id !== 'string' || (type !== 'User' && type !== 'Group')) return
    const all = this.#known[type]
    const known = { id, version: meta?.version ?? 'W/"1"' }
    const at = all.findIndex((each) => each.id === id)
    if (at === -1) keep(this.#random, all, known)
    else all[at] = known
  }

  #forget(target: string): void {
    for (const all of Object.values(this.#known)) {
      const at = all.findIndex(({ id }) => target.includes(id))
      // Some stay, so that what is gone is asked for as well.
      if (at !== -1 && this.#random(10) > 0) all.splice(at, 1)
    }
  }
}

function keep<Item>(random: Random, items: Item[], item: Item): void {
  if (items.length < MOST) items.push(item)
  else items[random(MOST)] = item
}

function withCursor(target: string, cursor: string): string {
  const [path = '', query = ''] = target.split('?', 2)
  const parameters = new URLSearchParams(query)
  parameters.set('cursor', cursor)
  return `${path}?${parameters}`
}
