import type { Kysely } from 'kysely'
import { expiringClients } from './access/oauth-expiry.ts'
import { expiringTokens } from './access/token-expiry.ts'
import { lastScimWrite } from './audit/last-scim-write.ts'
import type { Clock } from './clock.ts'
import type { Database } from './db/tables.ts'
import { countByStanding, countInactiveWithAccess } from './directory/accounts.ts'
import { countHeld } from './directory/deletion-holds.ts'
import type { MetricsOptions } from './metrics.ts'
import { measureBacklog } from './reconcile/backlog.ts'

export interface StoreReadingsOptions {
  readonly db: Kysely<Database>
  readonly onDeactivate: 'ignore' | 'suspend'
  readonly monotonic: Clock['monotonic']
  /** The database has answered. */
  readonly onRead?: () => void
}

/** To count ten million accounts takes seconds, and nobody acts on these numbers. */
const ACCOUNTS_EVERY_MS = 60_000

/** What the metrics read from the database. Of two scrapes at a time, or of several while it does not answer, one reads. */
export function createStoreReadings({
  db,
  onDeactivate,
  monotonic,
  onRead,
}: StoreReadingsOptions): Pick<MetricsOptions, 'readStore' | 'readAccounts'> {
  return {
    readStore: atMostEvery(0, monotonic, async () => {
      const [backlog, lastScimWriteSeconds, inactiveWithAccess, deletionsHeld, tokens, clients] =
        await Promise.all([
          measureBacklog(db),
          lastScimWrite(db),
          countInactiveWithAccess(db, onDeactivate),
          countHeld(db),
          expiringTokens(db),
          expiringClients(db),
        ])
      onRead?.()
      const credentials = [...tokens, ...clients]
      return { ...backlog, lastScimWriteSeconds, inactiveWithAccess, deletionsHeld, credentials }
    }),
    readAccounts: atMostEvery(ACCOUNTS_EVERY_MS, monotonic, () => countByStanding(db)),
  }
}

/** The last reading while it is under way or younger than that; one that failed is not kept. */
export function atMostEvery<T>(
  ms: number,
  monotonic: Clock['monotonic'],
  read: () => Promise<T>,
): () => Promise<T> {
  let reading: Promise<T> | undefined
  let endsAt = 0
  return () => {
    if (reading !== undefined && monotonic() < endsAt) return reading
    endsAt = Number.POSITIVE_INFINITY
    reading = read().then(
      (value) => {
        endsAt = monotonic() + ms
        return value
      },
      (error: unknown) => {
        reading = undefined
        throw error
      },
    )
    return reading
  }
}
