/**
 * What clients asked of the directory, with the time from the first request to the answer, somewhere within which it was
 * done. Where requests overlapped, every order of them is possible.
 */
export interface Span {
  readonly from: number
  readonly to: number
  /** False: perhaps it was never done. */
  readonly certain: boolean
}

export interface Window {
  readonly from: number
  readonly to: number
}

interface Joining extends Span {
  readonly groupId: string
}

const overlap = (a: Window, b: Window): Window => ({
  from: Math.max(a.from, b.from),
  to: Math.min(a.to, b.to),
})
const isPossible = ({ from, to }: Window): boolean => from <= to

/** Until when at the latest, what was written by the one write may last. */
const latestEnd = (write: Span, others: readonly Span[]): number =>
  others.reduce(
    (end, other) => (other.certain && other.from > write.to ? Math.min(end, other.to) : end),
    Number.POSITIVE_INFINITY,
  )

/** From when on, at the earliest, it may be undone; before its own end, when another write overlaps it. */
const earliestEnd = (write: Span, others: readonly Span[]): number =>
  others.reduce(
    (end, other) => (other.to >= write.from ? Math.min(end, other.from) : end),
    Number.POSITIVE_INFINITY,
  )

export class DirectoryHistory {
  readonly #joined = new Map<string, Joining[]>()
  readonly #left = new Map<string, Span[]>()
  readonly #emptied = new Map<string, (Span & { except: ReadonlySet<string> })[]>()
  readonly #usersGone = new Map<string, Span[]>()
  readonly #usersMade = new Map<string, Span>()
  readonly #names = new Map<string, (Span & { name: string })[]>()

  joined(groupId: string, userId: string, span: Span): void {
    listOf(this.#joined, userId).push({ ...span, groupId })
  }

  left(groupId: string, userId: string, span: Span): void {
    listOf(this.#left, `${groupId} ${userId}`).push(span)
  }

  /** Everybody left, but those. */
  emptied(groupId: string, span: Span, except: Iterable<string> = []): void {
    listOf(this.#emptied, groupId).push({ ...span, except: new Set(except) })
  }

  userCreated(userId: string, span: Span): void {
    this.#usersMade.set(userId, span)
  }

  isCreatedAfter(userId: string, time: number): boolean {
    return (this.#usersMade.get(userId)?.from ?? 0) > time
  }

  userDeleted(userId: string, span: Span): void {
    listOf(this.#usersGone, userId).push(span)
  }

  named(groupId: string, name: string, span: Span): void {
    listOf(this.#names, groupId).push({ ...span, name })
  }

  everJoined(userId: string): 'never' | 'perhaps' | 'certainly' {
    const joins = this.#joined.get(userId) ?? []
    if (joins.some(({ certain }) => certain)) return 'certainly'
    return joins.length > 0 ? 'perhaps' : 'never'
  }

  /** When the user may have wanted the role. */
  possiblyWanted(userId: string, role: string): Window[] {
    return (this.#joined.get(userId) ?? []).flatMap((join) => {
      const member = { from: join.from, to: latestEnd(join, this.#leavings(join.groupId, userId)) }
      return this.#namedSo(join.groupId, role)
        .map((named) => overlap(member, named))
        .filter(isPossible)
    })
  }

  /** When the user wanted the role in whatever order overlapping requests were carried out. */
  certainlyWanted(userId: string, role: string): Window[] {
    return (this.#joined.get(userId) ?? []).flatMap((join) => {
      if (!join.certain) return []
      const member = { from: join.to, to: earliestEnd(join, this.#leavings(join.groupId, userId)) }
      const names = this.#names.get(join.groupId) ?? []
      return names
        .filter(({ name, certain }) => certain && name === role)
        .map((write) => {
          const others = names.filter((other) => other !== write && other.name !== role)
          return overlap(member, { from: write.to, to: earliestEnd(write, others) })
        })
        .filter(isPossible)
    })
  }

  /** Whether the user may be, and may not be, in the group in the end. */
  finallyMember(groupId: string, userId: string): { may: boolean; mayNot: boolean } {
    const joins = (this.#joined.get(userId) ?? []).filter((join) => join.groupId === groupId)
    const leavings = this.#leavings(groupId, userId)
    return {
      may: joins.some((join) => latestEnd(join, leavings) === Number.POSITIVE_INFINITY),
      mayNot:
        joins.every(({ certain }) => !certain) ||
        leavings.some((leaving) => latestEnd(leaving, joins) === Number.POSITIVE_INFINITY),
    }
  }

  mayFinallyBeNamed(groupId: string, role: string): boolean {
    return this.#namedSo(groupId, role).some(({ to }) => to === Number.POSITIVE_INFINITY)
  }

  #leavings(groupId: string, userId: string): Span[] {
    const emptied = this.#emptied.get(groupId) ?? []
    return [
      ...(this.#left.get(`${groupId} ${userId}`) ?? []),
      ...emptied.filter(({ except }) => !except.has(userId)),
      ...(this.#usersGone.get(userId) ?? []),
    ]
  }

  #namedSo(groupId: string, role: string): Window[] {
    const names = this.#names.get(groupId) ?? []
    return names
      .filter(({ name }) => name === role)
      .map((write) => ({
        from: write.from,
        to: latestEnd(
          write,
          names.filter((other) => other !== write),
        ),
      }))
  }
}

function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? []
  lists.set(key, list)
  return list
}
