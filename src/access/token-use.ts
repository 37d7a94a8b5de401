import type { Kysely } from 'kysely'
import type { Clock } from '../clock.ts'
import { createOutageLog } from '../db/outage-log.ts'
import type { Database } from '../db/tables.ts'

export interface TokenUseOptions {
  readonly db: Kysely<Database>
  readonly now: Clock['now']
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

export interface TokenUse {
  /** Notes that a token was used now. Returns at once, and never fails. */
  note(tenantId: number, tokenId: string): void
  /** Writes what is not written yet; resolves when that has been tried. */
  flush(): Promise<void>
}

interface Use {
  readonly tenantId: number
  readonly minute: number
}

const MINUTE_MS = 60_000

/**
 * Keeps `last_used_at`, to the minute. A token's first use in a minute is written, beside the request; all others in that
 * minute cost nothing. What could not be written is tried again with the next use.
 */
export function createTokenUse({ db, now, log }: TokenUseOptions): TokenUse {
  /** By token: the newest minute that is written or waits to be. */
  const noted = new Map<string, number>()
  const waiting = new Map<string, Use>()
  let writing: Promise<void> | undefined
  const outage = createOutageLog({
    log,
    level: 'warn',
    message: 'when tokens were last used cannot be written',
    again: 'when tokens were last used can be written again',
  })

  async function writeAll(): Promise<void> {
    for (const [tokenId, use] of waiting) {
      waiting.delete(tokenId)
      try {
        await write(db, tokenId, use)
        outage.worked()
      } catch (error) {
        // Unless it was used in another minute meanwhile.
        if (!waiting.has(tokenId)) waiting.set(tokenId, use)
        outage.failed(error)
        return
      }
    }
  }

  function begin(): Promise<void> {
    writing ??= writeAll().finally(() => {
      writing = undefined
    })
    return writing
  }

  return {
    note(tenantId, tokenId) {
      const minute = Math.floor(now().getTime() / MINUTE_MS)
      if (noted.get(tokenId) === minute) return
      noted.set(tokenId, minute)
      waiting.set(tokenId, { tenantId, minute })
      void begin()
    },
    async flush() {
      await writing
      if (waiting.size > 0) await begin()
    },
  }
}

/** Another process may have written a later minute. */
async function write(db: Kysely<Database>, tokenId: string, { tenantId, minute }: Use): Promise<void> {
  const at = new Date(minute * MINUTE_MS)
  await db
    .updateTable('scim_token')
    .set({ last_used_at: at })
    .where('tenant_id', '=', tenantId)
    .where('token_id', '=', tokenId)
    .where((where) => where.or([where('last_used_at', 'is', null), where('last_used_at', '<', at)]))
    .execute()
}
