import type { RequestRecord } from '../../src/sandbox/request-log.ts'
import type { SandboxState } from '../../src/sandbox/state.ts'
import type { Person } from './directory-client.ts'
import type { DirectoryHistory, Window } from './history.ts'

/** One write that took effect. */
interface Write {
  readonly record: RequestRecord
  readonly email: string
  /** Since when the account has been there. */
  readonly accountSince: number
  /** When the attempt that made it looked at the account first, and when it took effect. */
  readonly attempt: Window
  readonly before: readonly string[]
  /** What the request asked for; nothing when it was a deletion. */
  readonly asked: readonly string[]
  /** Roles that were on the account by hand at that moment. */
  readonly byHand: readonly string[]
}

/**
 * An attempt reads the directory just before it looks at the account, and a busy machine may pause in between. A write that
 * was held back since an older attempt is late by more than that.
 */
const READ_BEFORE_MS = 5000

/** Sees every request that Campaign Manager gets, and knows what was done by hand. */
export class AccountWatch {
  readonly writes: Write[] = []
  readonly #state: SandboxState
  readonly #emailOfId = new Map<string, string>()
  readonly #since = new Map<string, number>()
  readonly #rolesOf = new Map<string, readonly string[]>()
  readonly #byHand = new Map<string, Set<string>>()
  /** The requests about each address since its last write. */
  readonly #requests = new Map<string, { record: RequestRecord; at: number }[]>()

  constructor(state: SandboxState) {
    this.#state = state
    state.onRequest = async (record) => this.#arrived(record)
    state.onApplied = async (record) => this.#applied(record)
  }

  /** What Campaign Manager was asked about an account, at most the last forty requests. */
  tell(email: string): string {
    return this.#state.requests
      .filter((record) => this.#emailOf(record) === email)
      .slice(-40)
      .map(({ method, path, status, faulted, roles }) =>
        [method, path, status ?? 'no answer', faulted ?? '', roles ?? ''].join(' '),
      )
      .join('\n')
  }

  giveByHand(email: string, ...roles: string[]): void {
    const held = this.#state.userByEmail(email)
    const { id } = this.#state.putUser({ email, roles: [...new Set([...(held?.roles ?? []), ...roles])] })
    this.#emailOfId.set(id, email)
    this.#rolesOf.set(email, this.#state.userByEmail(email)?.roles ?? [])
    this.#byHand.set(email, new Set([...(this.#byHand.get(email) ?? []), ...roles]))
  }

  byHand(email: string): string[] {
    return [...(this.#byHand.get(email) ?? [])]
  }

  #arrived(record: RequestRecord): void {
    const email = this.#emailOf(record)
    if (email === undefined) return
    const requests = this.#requests.get(email) ?? []
    requests.push({ record, at: performance.now() })
    this.#requests.set(email, requests)
  }

  #applied(record: RequestRecord): void {
    if (record.userId !== undefined && record.email !== undefined) {
      this.#emailOfId.set(record.userId, record.email)
    }
    const email = this.#emailOf(record)
    if (email === undefined) throw new Error(`a write to an account of no address: ${record.path}`)
    const now = performance.now()
    if (record.userId !== undefined && !this.#since.has(record.userId)) this.#since.set(record.userId, now)
    this.writes.push({
      record,
      email,
      accountSince: this.#since.get(record.userId ?? '') ?? now,
      attempt: { from: beginningOf(this.#requests.get(email) ?? [], record) ?? now, to: now },
      before: this.#rolesOf.get(email) ?? [],
      asked: record.roles ?? [],
      byHand: this.byHand(email),
    })
    this.#requests.set(email, [])
    this.#rolesOf.set(email, this.#state.userByEmail(email)?.roles ?? [])
  }

  #emailOf({ email, userId }: RequestRecord): string | undefined {
    return email ?? (userId === undefined ? undefined : this.#emailOfId.get(userId))
  }
}

/**
 * An attempt looks at the account by its id, and when there is none, by its address and then by the id found there. Reads
 * before those belong to attempts that came to nothing.
 */
function beginningOf(
  requests: readonly { record: RequestRecord; at: number }[],
  write: RequestRecord,
): number | undefined {
  const reads = requests.filter(({ record }) => record.method === 'GET' && record.started < write.started)
  let at: number | undefined
  let next = reads.pop()
  const take = (isTaken: (record: RequestRecord) => boolean) => {
    if (next === undefined || !isTaken(next.record)) return false
    at = next.at
    next = reads.pop()
    return true
  }
  if (write.method !== 'POST') take(({ route }) => route === 'user')
  while (take(({ route }) => route === 'users'));
  if (at !== undefined) take(({ route, status }) => route === 'user' && status === 404)
  return at
}

export interface Verdicts {
  readonly violations: string[]
  readonly grants: number
  readonly removals: number
}

/**
 * Of each write: every role that it asked for was wanted at some moment of its attempt, or is there by hand; every role that
 * it took away was not wanted at some moment of its attempt; and nothing is taken away that was given by hand.
 */
export function judgeWrites(
  watch: AccountWatch,
  history: DirectoryHistory,
  people: readonly Person[],
  placeholder: string,
): Verdicts {
  const personOf = new Map(people.map((person) => [person.email, person]))
  const violations: string[] = []
  let grants = 0
  let removals = 0
  for (const write of watch.writes) {
    const { record, email, attempt, before, asked, byHand } = write
    const ids = personOf.get(email)?.userIds ?? []
    const during: Window = { from: attempt.from - READ_BEFORE_MS, to: attempt.to }
    const describe = (fault: string) =>
      violations.push(
        `${fault}: ${record.method} ${record.path} of ${email} (${record.faulted ?? 'no fault'}), ` +
          `attempt ${ms(attempt.from)} to ${ms(attempt.to)}, before ${before}, asked for ${asked}, by hand ${byHand}`,
      )
    for (const role of byHand) {
      if (!asked.includes(role) && before.includes(role)) describe(`takes away foreign ${role}`)
    }
    for (const role of asked) {
      if (role === placeholder || byHand.includes(role)) continue
      if (!before.includes(role)) grants += 1
      const wanted = ids.flatMap((id) => history.possiblyWanted(id, role))
      if (wanted.some((window) => meets(window, during))) continue
      describe(`grants ${role}, which was wanted ${wanted.map(show).join(', ') || 'never'}`)
    }
    // The account of somebody who was deleted goes with that user, although the same person is there anew meanwhile.
    const holders =
      record.method === 'DELETE' ? ids.filter((id) => !history.isCreatedAfter(id, write.accountSince)) : ids
    for (const role of before) {
      if (role === placeholder || asked.includes(role) || byHand.includes(role)) continue
      removals += 1
      const wanted = holders.flatMap((id) => history.certainlyWanted(id, role))
      const throughout = wanted.find(({ from, to }) => from <= during.from && to >= during.to)
      if (throughout) describe(`takes away ${role}, which was wanted ${show(throughout)}`)
    }
  }
  return { violations, grants, removals }
}

const meets = (a: Window, b: Window): boolean => a.from <= b.to && a.to >= b.from
const ms = (time: number): string => `${Math.round(time)}`
const show = ({ from, to }: Window): string => `from ${ms(from)} to ${ms(to)}`
