import { inTransaction } from '../db/transaction.ts'
import type { ProvisioningContext } from './context.ts'

/**
 * Runs several use cases in one transaction: all of them take effect, or none. The work may be begun anew. What a use case
 * would ask outside its transaction, the name of a group, must have been asked before.
 */
export async function together(
  context: ProvisioningContext,
  work: (context: ProvisioningContext) => Promise<void>,
): Promise<void> {
  await inTransaction(context.db, (trx) =>
    work({ ...context, db: trx, checkGroupName: async () => {}, onDirty: () => {} }),
  )
  context.onDirty()
}
