import type { Kysely } from 'kysely'
import { createOutageLog } from '../db/outage-log.ts'
import type { Database } from '../db/tables.ts'
import { type Attempt, outcomeOf } from './attempt.ts'
import { type BackoffPolicy, backoffMs } from './backoff.ts'
import { isOpen } from './circuit-breaker.ts'
import {
  type Claim,
  claimDirty,
  isAnybodyDueWithin,
  LEASE_SECONDS,
  postponeClaim,
  releaseClaim,
  renewClaims,
} from './dirty-set.ts'
import { closeBreaker, freePlaces, isPaused, isProbeDue, type Line, newLine, noteAttempt } from './line.ts'
import { inTurn, listTenantStates, type TenantState } from './tenant-states.ts'
import { type AttemptEvent, attemptChannel } from './watch-channels.ts'

/** A recurring duty of the process. */
export interface Duty {
  start(): void
  /** Begins nothing more, and resolves when what was under way has ended. */
  stop(): Promise<void>
  /** One round, to its end; returns how much there was to do. */
  runOnce(): Promise<number>
}

export interface Worker extends Duty {
  /** Says that there may be work: called after a change was committed by this process. */
  wake(): void
  /** Whether that of any line is. */
  readonly circuitOpen: boolean
  /** The last answer of some line was that Campaign Manager does not accept the credentials. */
  readonly credentialsRefused: boolean
  /** Whether nothing new is asked over this line for now. */
  isPaused(line: string): boolean
}

/**
 * Which tenants are served over which line: one connection to one Campaign Manager, with places and a circuit breaker of its
 * own, so that what happens on one concerns the tenants of that one. A tenant on no line is not claimed from.
 */
export type Lines = ReadonlyMap<string, readonly number[]>

export interface WorkerOptions {
  readonly db: Kysely<Database>
  readonly attempt: (claim: Claim) => Promise<Attempt>
  /** Asked before each round of claims. */
  readonly mayWork?: () => Promise<boolean>
  /** Called in each round of claims with all tenants that are served. */
  readonly lines: (tenants: readonly TenantState[]) => Promise<Lines>
  /** Attempts at once on each line. */
  readonly concurrency: number
  /** How often to look for work that other processes committed. */
  readonly pollMs: number
  /** After how long a parked user is looked at all the same, should nothing have made it due before. */
  readonly parkedMs: number
  readonly failed: BackoffPolicy
  /** The same, where Campaign Manager failed: its circuit breaker is what spares it, and it may be back at any moment. */
  readonly unavailable: BackoffPolicy
  readonly monotonic: () => number
  readonly random: () => number
  readonly log: WorkerLog
  readonly observe: (outcome: string, seconds: number) => void
}

export interface WorkerLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Longer than anybody is put off because Campaign Manager failed. */
const IDLE_SECONDS = 30
const HEARTBEAT_MS = (LEASE_SECONDS * 1000) / 4
/** How long to wait, at most, before the next look for work after one that failed. */
const LONGEST_POLL_MS = 4000

export function createWorker(options: WorkerOptions): Worker {
  const { db, log } = options
  const lines = new Map<string, Line>()
  const inFlight = new Map<Claim, Promise<void>>()
  let stopping = false
  let loop: Promise<void> | undefined
  let wakeUp: () => void = () => {}
  let awake = false
  const { monotonic } = options
  const claiming = createOutageLog({
    log,
    monotonic,
    level: 'error',
    message: 'no work could be claimed',
    again: 'work can be claimed again',
  })
  const renewing = createOutageLog({
    log,
    monotonic,
    level: 'error',
    message: 'claims could not be renewed',
    again: 'claims can be renewed again',
  })

  function wake(): void {
    awake = true
    wakeUp()
  }

  /** Waits for work, but not longer than until the next look. */
  async function idle(): Promise<void> {
    if (!awake && !stopping) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs())
        wakeUp = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    awake = false
    wakeUp = () => {}
  }

  function pollMs(): number {
    const { failures } = claiming
    if (failures === 0) return options.pollMs
    return backoffMs(failures + 1, options.random(), { baseMs: options.pollMs, maxMs: LONGEST_POLL_MS })
  }

  async function claim(): Promise<number> {
    if (options.mayWork && !(await options.mayWork())) return 0
    const tenants = await listTenantStates(db)
    const served = await options.lines(tenants)
    forgetUnused(served)
    let claimed = 0
    for (const [name, tenantIds] of served) {
      if (stopping) break
      claimed += await claimOn(
        name,
        tenants.filter(({ tenantId }) => tenantIds.includes(tenantId)),
      )
    }
    return claimed
  }

  /** What is known of a line that serves nobody any more, its open breaker say, is of no use to anybody. */
  function forgetUnused(served: Lines): void {
    for (const [name, line] of lines) {
      if (!served.has(name) && line.inFlight.size === 0) lines.delete(name)
    }
  }

  async function claimOn(name: string, tenants: readonly TenantState[]): Promise<number> {
    const line = lines.get(name) ?? newLine()
    lines.set(name, line)
    const places = freePlaces(line, options.concurrency, options.monotonic())
    const order = line.rounds % 4 === 3 ? 'failed' : 'fresh'
    const turns = inTurn(tenants, places, order, line.lastTenant)
    if (turns.length === 0) {
      // Another process may have done what this one failed at: with nobody left to probe with, it would stay open for good.
      const ids = tenants.map(({ tenantId }) => tenantId)
      const isIdle =
        isProbeDue(line, options.monotonic()) && !(await isAnybodyDueWithin(db, IDLE_SECONDS, ids))
      if (isIdle) closeBreaker(line)
      return 0
    }
    line.rounds += 1
    line.lastTenant = turns.at(-1) ?? 0
    const claims = await claimDirty(db, places, order, turns)
    for (const each of claims) {
      line.inFlight.add(each)
      const run = reconcile(line, each).finally(() => {
        line.inFlight.delete(each)
        inFlight.delete(each)
        wake()
      })
      inFlight.set(each, run)
    }
    return claims.length
  }

  function reconcile(line: Line, claim: Claim): Promise<void> {
    const event: AttemptEvent = { ...claim, attempts: claim.attempts + 1 }
    return attemptChannel.tracePromise(() => reconcileWatched(line, claim, event), event)
  }

  async function reconcileWatched(line: Line, claim: Claim, event: AttemptEvent): Promise<void> {
    const started = options.monotonic()
    const fields = { tenantId: claim.tenantId, userId: claim.userId, attempts: claim.attempts + 1 }
    let outcome = 'error'
    try {
      const attempt = await options.attempt(claim)
      outcome = outcomeOf(attempt)
      event.isDone = attempt.kind === 'done'
      await settle(line, claim, attempt)
      logAttempt(fields, attempt)
    } catch (error) {
      // The store failed, or the code did. What was claimed stays dirty; if it cannot even be given back, its lease ends.
      log.error({ ...fields, err: error }, 'reconciliation broke off')
      await giveBack(claim, error)
    } finally {
      event.outcome = outcome
      options.observe(outcome, (options.monotonic() - started) / 1000)
    }
  }

  function logAttempt(fields: object, attempt: Attempt): void {
    if (attempt.kind === 'done') log.info({ ...fields, outcome: attempt.outcome }, 'account reconciled')
    if (attempt.kind === 'waiting' || attempt.kind === 'failed') {
      log.warn(
        { ...fields, reason: attempt.reason, detail: attempt.detail },
        `reconciliation ${attempt.kind}`,
      )
    }
  }

  async function settle(line: Line, claim: Claim, attempt: Attempt): Promise<void> {
    noteAttempt(line, claim, attempt, options.monotonic(), options.random())
    if (attempt.kind === 'failed' && attempt.scope === 'credentials') {
      const { tenantId, endpoint } = claim
      log.error({ tenantId, endpoint, detail: attempt.detail }, 'Campaign Manager refuses the credentials')
    }
    if (attempt.kind === 'done') return
    // The tenant's settings changed under it. If another process has the user by now, this changes nothing.
    if (attempt.kind === 'lost') return releaseClaim(db, claim)
    if (stopping && attempt.kind === 'failed') return releaseClaim(db, claim)
    const delay =
      attempt.kind === 'waiting'
        ? options.parkedMs * (0.5 + options.random() / 2)
        : backoffMs(claim.attempts + 1, options.random(), failedPolicy(attempt))
    const asked = attempt.kind === 'failed' ? (attempt.retryAfterMs ?? 0) : 0
    await postponeClaim(db, claim, attempt, Math.max(delay, asked))
  }

  async function giveBack(claim: Claim, cause: unknown): Promise<void> {
    const failure = { reason: 'internal', detail: cause instanceof Error ? cause.name : 'unknown error' }
    const delay = backoffMs(claim.attempts + 1, options.random(), options.failed)
    await postponeClaim(db, claim, failure, delay).catch((error) =>
      log.error({ err: error }, 'a claimed user could not be given back; its lease will end'),
    )
  }

  const failedPolicy = ({ scope }: Extract<Attempt, { kind: 'failed' }>): BackoffPolicy =>
    scope === 'account' ? options.failed : options.unavailable

  const heartbeat = async (): Promise<void> => {
    if (inFlight.size === 0) return
    await renewClaims(db, [...inFlight.keys()]).then(renewing.worked, renewing.failed)
  }

  async function run(): Promise<void> {
    const timer = setInterval(heartbeat, HEARTBEAT_MS)
    while (!stopping) {
      try {
        const claimed = await claim()
        claiming.worked()
        if (claimed > 0) continue
      } catch (error) {
        claiming.failed(error)
      }
      await idle()
    }
    await Promise.allSettled(inFlight.values())
    clearInterval(timer)
  }

  return {
    start() {
      loop ??= run()
    },
    async stop() {
      stopping = true
      wakeUp()
      await Promise.allSettled([loop, ...inFlight.values()])
    },
    async runOnce() {
      const claimed = await claim()
      await Promise.allSettled(inFlight.values())
      return claimed
    },
    wake,
    get circuitOpen() {
      return [...lines.values()].some(({ breaker }) => isOpen(breaker))
    },
    get credentialsRefused() {
      return [...lines.values()].some(({ credentialsRefused }) => credentialsRefused)
    },
    isPaused: (name) => isPaused(lines.get(name), options.monotonic()),
  }
}
