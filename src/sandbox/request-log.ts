import type { FaultKind } from './faults.ts'

export type RouteName = 'roles' | 'users' | 'user' | 'unknown'

export type RequestRecord = {
  sequence: number
  method: string
  path: string
  route: RouteName
  email?: string
  userId?: string
  idempotencyKey?: string
  /** Those that a write asks for, whatever came of it. */
  roles?: readonly string[]
  /** Absent while it is being handled, and for good when it was never answered. */
  status?: number
  faulted?: FaultKind
  /** Places on one counter that starts and ends share, not times. */
  started: number
  ended?: number
}

/**
 * Every API request in order. Its handling starts with its arrival and ends just before its answer is written (or with the
 * decision never to answer), so a caller that waits for one answer before the next request never overlaps itself.
 */
export class RequestLog {
  #counter = 0
  #sequence = 0
  #records: RequestRecord[] = []
  readonly #keep: number

  /** With more than `keep` records, the oldest are forgotten. */
  constructor(keep: number) {
    this.#keep = keep
  }

  get records(): readonly RequestRecord[] {
    return this.#records
  }

  start(method: string, path: string): RequestRecord {
    const record: RequestRecord = {
      sequence: ++this.#sequence,
      method,
      path,
      route: 'unknown',
      started: ++this.#counter,
    }
    this.#records.push(record)
    if (this.#records.length > this.#keep * 1.1) this.#records = this.#records.slice(-this.#keep)
    return record
  }

  end(record: RequestRecord): void {
    record.ended ??= ++this.#counter
  }

  reset(): void {
    this.#records = []
  }

  /** Pairs of writes to one account whose handling overlapped. */
  overlappingWrites(): [RequestRecord, RequestRecord][] {
    const pairs = new Map<string, [RequestRecord, RequestRecord]>()
    for (const writes of this.#writesByAccount().values()) {
      for (const [index, first] of writes.entries()) {
        for (let next = index + 1; next < writes.length; next++) {
          const second = writes[next]
          if (second === undefined || second.started > (first.ended ?? Number.POSITIVE_INFINITY)) break
          if (sameAccount(first, second)) pairs.set(`${first.sequence} ${second.sequence}`, [first, second])
        }
      }
    }
    return [...pairs.values()]
  }

  #writesByAccount(): Map<string, RequestRecord[]> {
    const byAccount = new Map<string, RequestRecord[]>()
    for (const record of this.#records) {
      if (record.method === 'GET') continue
      for (const key of accountKeys(record)) {
        const writes = byAccount.get(key)
        if (writes === undefined) byAccount.set(key, [record])
        else writes.push(record)
      }
    }
    return byAccount
  }
}

function accountKeys({ userId, email }: RequestRecord): string[] {
  const keys: string[] = []
  if (userId !== undefined) keys.push(`id ${userId}`)
  if (email !== undefined) keys.push(`email ${email.toLowerCase()}`)
  return keys
}

/** An e-mail address names the account only where a POST is one of the two: two ids are two accounts. */
function sameAccount(a: RequestRecord, b: RequestRecord): boolean {
  if (a.userId !== undefined && a.userId === b.userId) return true
  return a.method === 'POST' || b.method === 'POST'
}
