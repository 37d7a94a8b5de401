import type { Kysely, Transaction } from 'kysely'
import { isRetryable } from './errors.ts'

/** Thrown by the body of a transaction that saw another one get in between and wants to start again. */
export class RetryTransaction extends Error {
  override readonly name = 'RetryTransaction'
}

/**
 * Runs `run` in one READ COMMITTED transaction, and again in a new one after a deadlock, a serialization
 * failure or a `RetryTransaction`. The body must therefore do nothing that a rollback does not undo. Inside a transaction
 * it becomes part of that one, which alone begins again.
 */
export async function inTransaction<DB, T>(
  db: Kysely<DB>,
  run: (trx: Transaction<DB>) => Promise<T>,
  { attempts = 5 }: { attempts?: number } = {},
): Promise<T> {
  if (isTransaction(db)) return run(db)
  for (let attempt = 1; ; attempt++) {
    try {
      return await runOnce(db, run)
    } catch (error) {
      const again = error instanceof RetryTransaction || isRetryable(error)
      if (!again || attempt >= attempts) throw error
    }
  }
}

const endings = new WeakMap<object, (() => Promise<void>)[]>()

/** Has a transaction of `inTransaction` do something as the last thing before it commits, once however deep it is nested. */
export function beforeCommit<DB>(trx: Transaction<DB>, work: () => Promise<void>): void {
  const ending = endings.get(trx)
  if (!ending) throw new TypeError('the transaction was not begun by inTransaction')
  ending.push(work)
}

const isTransaction = <DB>(db: Kysely<DB>): db is Transaction<DB> => db.isTransaction

async function runOnce<DB, T>(db: Kysely<DB>, run: (trx: Transaction<DB>) => Promise<T>): Promise<T> {
  let failure: { error: unknown } | undefined
  try {
    return await db
      .transaction()
      .setIsolationLevel('read committed')
      .execute(async (trx) => {
        try {
          const ending: (() => Promise<void>)[] = []
          endings.set(trx, ending)
          const result = await run(trx)
          for (const work of ending) await work()
          return result
        } catch (error) {
          failure = { error }
          throw error
        }
      })
  } catch (error) {
    // On a broken connection the rollback fails too, and Kysely would report that instead of the reason.
    throw failure === undefined ? error : failure.error
  }
}
