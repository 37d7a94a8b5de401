import type { Kysely } from 'kysely'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { hastenWaiting, isAnybodyWaiting } from './mark-users.ts'
import type { Duty } from './worker.ts'

export interface RoleWatchOptions {
  readonly db: Kysely<Database>
  /** Reasons of users who wait for a role. */
  readonly reasons: readonly string[]
  /** Names of the roles there are now. */
  readonly listRoles: () => Promise<readonly string[]>
  readonly intervalMs: number
  readonly onDirty: () => void
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

/** An attempt under way, here or in another process, may still go by a list from before the role appeared. */
const ROUNDS = 3

/**
 * Looks for new roles while users wait for one, and only then. Nobody of theirs is tried again until a role appears that
 * was not there before, so that many who wait cost one question and not one each.
 */
export function createRoleWatch(options: RoleWatchOptions): Duty {
  const { db, reasons, log } = options
  let seen: ReadonlySet<string> | undefined
  let roundsLeft = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  async function runOnce(): Promise<number> {
    if (!(await isAnybodyWaiting(db, reasons))) {
      // Whoever begins to wait from now on saw the list of that moment; one that is older tells nothing.
      seen = undefined
      return 0
    }
    const roles = new Set(await options.listRoles())
    if (seen === undefined || [...roles].some((role) => !seen?.has(role))) roundsLeft = ROUNDS
    seen = roles
    if (roundsLeft === 0) return 0
    roundsLeft -= 1
    let hastened = 0
    for (const reason of reasons) {
      hastened += await inTransaction(db, (trx) => hastenWaiting(trx, reason))
    }
    if (hastened > 0) {
      log.info({ users: hastened }, 'roles have appeared; those who wait for one are tried again')
      options.onDirty()
    }
    return hastened
  }

  function look(): void {
    running = runOnce().catch((error) => log.warn({ err: error }, 'the list of roles cannot be read'))
  }

  return {
    start() {
      timer ??= setInterval(look, options.intervalMs)
    },
    async stop() {
      clearInterval(timer)
      await running
    },
    runOnce,
  }
}
