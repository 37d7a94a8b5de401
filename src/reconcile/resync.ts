import type { Kysely } from 'kysely'
import { createOutageLog } from '../db/outage-log.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { applyStep, type DriftKind, type Finding, saveFindings } from './drift-finding.ts'
import {
  abandonWalk,
  advanceWalk,
  finishWalk,
  type HeldWalk,
  MOST_STEPS,
  PlaceRefusedError,
  pauseWalk,
  scheduleWalks,
  type TakeStep,
  takeWalk,
  WalkPostponedError,
  type WalkSummary,
} from './inventory-walk.ts'
import { markEveryone } from './mark-users.ts'
import type { Duty } from './worker.ts'

export interface ResyncOptions {
  readonly db: Kysely<Database>
  /** 0 = never. */
  readonly intervalSeconds: number
  readonly takeStep: TakeStep
  readonly onDrift: (kind: DriftKind) => void
  readonly onDirty: () => void
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
}

export interface Resync extends Duty {
  /** Marks every user of every tenant, whatever the time. */
  markEveryone(): Promise<number>
}

/** How often a process looks whether a walk is due; the due time itself is kept in Postgres, for all processes. */
const LOOK_MS = 15_000
/** How long a walk waits that could not go on. */
const PAUSE_SECONDS = 30

/**
 * Compares the whole inventory of each Campaign Manager with the directory once per interval, and marks those users dirty whose
 * account is not as it should be: their reconciliation looks for itself before it changes anything. One process does it for
 * all. Each step is recorded together with what it found, so that a walk goes on where it was broken off. The walks of several
 * Campaign Managers go on side by side: a slow one keeps no other waiting.
 */
export function createResync(options: ResyncOptions): Resync {
  const { db, intervalSeconds, onDirty, log } = options
  let timer: NodeJS.Timeout | undefined
  const running = new Set<Promise<unknown>>()
  let stopping = false
  const outage = createOutageLog({
    log,
    level: 'error',
    message: 'the comparison of the inventory broke off',
    again: 'the comparison of the inventory goes on',
  })

  /** Begins what is due, and returns how much was found once all of it has ended. */
  async function runOnce(): Promise<number> {
    if (intervalSeconds === 0) return 0
    await scheduleWalks(db, intervalSeconds)
    const walks: Promise<void>[] = []
    const failures: unknown[] = []
    let found = 0
    try {
      for (let held = await takeWalk(db); held; held = stopping ? undefined : await takeWalk(db)) {
        // Listened to from the beginning: it may fail while the next one is being taken.
        walks.push(
          walk(held).then(
            (more) => {
              found += more
            },
            (error) => {
              failures.push(error)
            },
          ),
        )
      }
    } finally {
      await Promise.all(walks)
    }
    if (failures.length > 1) throw new AggregateError(failures, 'several inventories could not be compared')
    if (failures.length === 1) throw failures[0]
    return found
  }

  async function walk(held: HeldWalk): Promise<number> {
    try {
      return await walkOn(held)
    } catch (error) {
      const giveBack = error instanceof PlaceRefusedError ? abandonWalk : pauseWalk
      await giveBack(db, held, PAUSE_SECONDS).catch((cause) =>
        log.error({ err: cause }, 'the inventory walk could not be given back; its lease will end'),
      )
      if (!(error instanceof WalkPostponedError)) throw error
      log.info({ endpoint: held.endpoint, reason: error.message }, 'the comparison of the inventory waits')
      return 0
    }
  }

  async function walkOn(taken: HeldWalk): Promise<number> {
    let found = 0
    for (let held = taken; ; ) {
      if (stopping) {
        await pauseWalk(db, held, 0)
        return found
      }
      if (held.steps >= MOST_STEPS) throw new PlaceRefusedError('the inventory does not end')
      const step = await options.takeStep(held, held.place)
      const kept = await inTransaction(db, (trx) => record(trx, held, step))
      if (!kept) {
        log.warn(
          { walk: held.id, endpoint: held.endpoint },
          'the comparison of the inventory was taken over by another process',
        )
        return found
      }
      announce(kept.findings)
      found += kept.findings.length
      if (kept.summary) {
        report(held, kept.summary)
        // Whoever waits is tried again after a walk.
        onDirty()
      }
      if (!step.next) return found
      held = { ...held, place: step.next, steps: held.steps + 1 }
    }
  }

  /** Undefined when the lease was lost, and then nothing is recorded. */
  async function record(
    trx: Parameters<typeof applyStep>[0],
    held: HeldWalk,
    step: Awaited<ReturnType<TakeStep>>,
  ): Promise<{ findings: Finding[]; summary?: WalkSummary } | undefined> {
    // First, because it locks the walk: a process that has taken it over waits until this step is whole.
    if (!(await advanceWalk(trx, held, step.next ?? held.place))) return undefined
    const findings = await applyStep(trx, held.id, step, true)
    await saveFindings(trx, held, findings)
    if (step.next) return { findings }
    const summary = await finishWalk(trx, held, intervalSeconds)
    return summary && { findings, summary }
  }

  function announce(findings: readonly Finding[]): void {
    for (const { kind, user, accountId, detail } of findings) {
      options.onDrift(kind)
      log.warn({ drift: kind, ...user, accountId, detail }, 'an account is not as it should be')
    }
    if (findings.some(({ repairable }) => repairable)) onDirty()
  }

  function report({ id: walk, endpoint }: HeldWalk, { accounts, found }: WalkSummary): void {
    const clean = Object.keys(found).length === 0
    if (clean) log.info({ walk, endpoint, accounts }, 'inventory compared: every account is as it should be')
    else
      log.warn({ walk, endpoint, accounts, found }, 'inventory compared: accounts are not as they should be')
  }

  function look(): void {
    const round: Promise<unknown> = runOnce()
      .then(outage.worked, outage.failed)
      .finally(() => running.delete(round))
    running.add(round)
  }

  return {
    start() {
      if (intervalSeconds === 0 || timer) return
      timer = setInterval(look, Math.min(LOOK_MS, intervalSeconds * 1000))
    },
    async stop() {
      stopping = true
      clearInterval(timer)
      await Promise.all(running)
    },
    runOnce,
    async markEveryone() {
      const marked = await markEveryone(db)
      onDirty()
      return marked
    },
  }
}
