import { randomUUID } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database, InventoryWalkTable } from '../db/tables.ts'
import { type DriftKind, forgetSeen, replaceFindings, type StepResult } from './drift-finding.ts'
import { retryFailing } from './mark-users.ts'

/**
 * pages    the pages of Campaign Manager's inventory, each compared with its accounts' users
 * missing  the users whose account was on none of them
 * strays   the accounts on them that are no user's
 */
export type Stage = NonNullable<InventoryWalkTable['stage']>

/** How far a walk has come: `after` is what its stage says it is, and undefined at the stage's start. */
export interface Place {
  readonly stage: Stage
  readonly after: string | undefined
}

export interface Walk {
  readonly id: string
  /** The Campaign Manager whose inventory it goes through; '' is the shared one. */
  readonly endpoint: string
  /** The database's time, as it writes it: a Date would lose the microseconds. */
  readonly began: string
}

/** Looks at what comes at this place of a walk; nothing is changed by it. `next` is undefined at the walk's end. */
export type TakeStep = (
  walk: Walk,
  place: Place,
) => Promise<StepResult & { readonly next: Place | undefined }>

/** Campaign Manager does not know the place any more: the walk can only begin anew. */
export class PlaceRefusedError extends Error {
  override readonly name = 'PlaceRefusedError'
}

/** The walk is to go on later: its Campaign Manager is left alone for now, or cannot be asked. */
export class WalkPostponedError extends Error {
  override readonly name = 'WalkPostponedError'
}

export const firstPlace: Place = { stage: 'pages', after: undefined }

/** An inventory whose pages never end must not be walked for ever. */
export const MOST_STEPS = 100_000

/** A process that dies in the middle keeps the others waiting for so long; a live one renews the lease at every step. */
const LEASE_SECONDS = 60
/** What was seen longer ago says too little of now: such a walk is not taken up again. */
const STALE_SECONDS = 3600

/** A walk that this process, and no other, may go on with. */
export interface HeldWalk extends Walk {
  readonly lease: string
  readonly place: Place
  readonly steps: number
}

/**
 * Plans the walks of the Campaign Managers that tenants have, and forgets those that none has any more. The first one comes within
 * one interval, spread, so that services which start together do not walk together.
 */
export async function scheduleWalks(db: Kysely<Database>, intervalSeconds: number): Promise<void> {
  await sql`
    insert into inventory_walk (endpoint, singleton, due_at)
    select endpoint, case when endpoint = '' then true end,
           now() + make_interval(secs => ${intervalSeconds} * (0.5 + random() / 2))
    from (select distinct endpoint from tenant) as tenant
    order by endpoint
    on conflict do nothing`.execute(db)
  const unused = sql`endpoint not in (select tenant.endpoint from tenant)`
  await sql`
    delete from inventory_walk where ${unused} and (leased_until is null or leased_until < now())`.execute(db)
  await sql`delete from drift_finding where ${unused}`.execute(db)
}

/**
 * Takes a walk that is due: where another process left it, or from the start. Undefined when none is, or those that are are
 * held, or no tenant of theirs is served.
 */
export async function takeWalk(db: Kysely<Database>): Promise<HeldWalk | undefined> {
  const lease = randomUUID()
  const { rows } = await sql<{
    walk: string
    endpoint: string
    began: string
    stage: Stage
    place: string | null
    steps: number
  }>`
    with due as (
      select endpoint, coalesce(began > now() - make_interval(secs => ${STALE_SECONDS}), false) as resumed
      from inventory_walk
      where due_at <= now() and (leased_until is null or leased_until < now())
        and exists (
          select from tenant where tenant.endpoint = inventory_walk.endpoint and tenant.disabled_at is null
        )
      order by due_at limit 1
      for update skip locked
    )
    update inventory_walk
    set lease = ${lease}, leased_until = now() + make_interval(secs => ${LEASE_SECONDS}),
        walk = case when due.resumed then walk else ${randomUUID()}::uuid end,
        began = case when due.resumed then began else now() end,
        stage = case when due.resumed then stage else 'pages' end,
        place = case when due.resumed then place end,
        steps = case when due.resumed then steps else 0 end
    from due where inventory_walk.endpoint = due.endpoint
    returning walk, inventory_walk.endpoint, began::text, stage, place, steps`.execute(db)
  const row = rows[0]
  return (
    row && {
      lease,
      id: row.walk,
      endpoint: row.endpoint,
      began: row.began,
      place: { stage: row.stage, after: row.place ?? undefined },
      steps: row.steps,
    }
  )
}

/** Records the next place, in the transaction that records what was found before it. False when the lease was lost. */
export async function advanceWalk(trx: Transaction<Database>, held: HeldWalk, next: Place): Promise<boolean> {
  const row = await heldRow(trx, held)
    .set({
      stage: next.stage,
      place: next.after ?? null,
      steps: held.steps + 1,
      leased_until: sql<Date>`now() + make_interval(secs => ${LEASE_SECONDS})`,
    })
    .returning('steps')
    .executeTakeFirst()
  return row !== undefined
}

export interface WalkSummary {
  readonly accounts: number
  readonly found: Readonly<Partial<Record<DriftKind, number>>>
}

/**
 * Ends a walk and plans the next. Its findings replace the earlier ones, and who failed or waits is tried again. Undefined
 * when the lease was lost.
 */
export async function finishWalk(
  trx: Transaction<Database>,
  held: HeldWalk,
  intervalSeconds: number,
): Promise<WalkSummary | undefined> {
  const row = await heldRow(trx, held)
    .set({
      ...atRest,
      due_at: sql<Date>`now() + make_interval(secs => ${intervalSeconds} * (0.9 + random() / 5))`,
    })
    .returning('endpoint')
    .executeTakeFirst()
  if (!row) return undefined
  const summary = await summarize(trx, held.id)
  await replaceFindings(trx, held)
  await forgetSeen(trx, held.id)
  await retryFailing(trx, held.endpoint)
  return summary
}

async function summarize(trx: Transaction<Database>, walk: string): Promise<WalkSummary> {
  const { accounts } = await trx
    .selectFrom('inventory_account')
    .where('walk', '=', walk)
    .select((eb) => eb.fn.countAll<string>().as('accounts'))
    .executeTakeFirstOrThrow()
  const kinds = await trx
    .selectFrom('drift_finding')
    .where('walk', '=', walk)
    .select(['kind', (eb) => eb.fn.countAll<string>().as('count')])
    .groupBy('kind')
    .orderBy('kind')
    .execute()
  return {
    accounts: Number(accounts),
    found: Object.fromEntries(kinds.map(({ kind, count }) => [kind, Number(count)])),
  }
}

/** Gives a walk back, to be gone on with from its place by whoever comes first after the delay. */
export async function pauseWalk(db: Kysely<Database>, held: HeldWalk, delaySeconds: number): Promise<void> {
  await heldRow(db, held)
    .set({ ...unleased, due_at: sql<Date>`now() + make_interval(secs => ${delaySeconds})` })
    .execute()
}

/** Gives a walk up, to begin anew after the delay. */
export async function abandonWalk(db: Kysely<Database>, held: HeldWalk, delaySeconds: number): Promise<void> {
  await heldRow(db, held)
    .set({ ...atRest, due_at: sql<Date>`now() + make_interval(secs => ${delaySeconds})` })
    .execute()
}

const unleased = { lease: null, leased_until: null }
const atRest = { ...unleased, walk: null, began: null, stage: null, place: null, steps: 0 }

const heldRow = (db: Kysely<Database>, { lease }: HeldWalk) =>
  db.updateTable('inventory_walk').where('lease', '=', lease).where('leased_until', '>', sql<Date>`now()`)
