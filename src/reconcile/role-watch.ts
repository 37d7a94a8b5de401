import type { Kysely } from 'kysely'
import { createOutageLog } from '../db/outage-log.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { hastenWaiting, isAnybodyWaiting } from './mark-users.ts'
import type { Duty } from './worker.ts'

/** Tenants whose roles come over one connection. */
export interface RoleSource {
  readonly line: string
  readonly tenantIds: readonly number[]
  /** Names of the roles there are now. */
  readonly listRoles: () => Promise<readonly string[]>
}

export interface RoleWatchOptions {
  readonly db: Kysely<Database>
  /** Reasons of users who wait for a role. */
  readonly reasons: readonly string[]
  readonly sources: () => Promise<readonly RoleSource[]>
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
  const watched = new Map<string, { readonly seen: ReadonlySet<string>; readonly roundsLeft: number }>()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()
  const outage = createOutageLog({
    log,
    level: 'warn',
    message: 'the list of roles cannot be read',
    again: 'the list of roles can be read again',
  })

  async function runOnce(): Promise<number> {
    const sources = await options.sources()
    for (const line of watched.keys()) {
      if (!sources.some((source) => source.line === line)) watched.delete(line)
    }
    // What one Campaign Manager does not answer is no reason to keep the tenants of another waiting.
    const looks = await Promise.allSettled(sources.map(lookAt))
    const failures = looks.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'several lists of roles cannot be read')
    return looks.reduce((sum, each) => sum + (each.status === 'fulfilled' ? each.value : 0), 0)
  }

  async function lookAt({ line, tenantIds, listRoles }: RoleSource): Promise<number> {
    if (!(await isAnybodyWaiting(db, reasons, tenantIds))) {
      // Whoever begins to wait from now on saw the list of that moment; one that is older tells nothing.
      watched.delete(line)
      return 0
    }
    const roles = new Set(await listRoles())
    const before = watched.get(line)
    const isNew = before === undefined || [...roles].some((role) => !before.seen.has(role))
    const roundsLeft = isNew ? ROUNDS : before.roundsLeft
    watched.set(line, { seen: roles, roundsLeft: Math.max(0, roundsLeft - 1) })
    if (roundsLeft === 0) return 0
    let hastened = 0
    for (const reason of reasons) {
      hastened += await inTransaction(db, (trx) => hastenWaiting(trx, reason, tenantIds))
    }
    if (hastened > 0) {
      log.info({ users: hastened }, 'roles have appeared; those who wait for one are tried again')
      options.onDirty()
    }
    return hastened
  }

  function look(): void {
    running = runOnce().then(outage.worked, outage.failed)
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
