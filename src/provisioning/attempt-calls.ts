import type { CampaignManager } from '../campaign-manager/campaign-manager.ts'
import { CampaignManagerError } from '../campaign-manager/errors.ts'
import type { Overtaken } from './certainty.ts'

/** The calls of one attempt, and what it has to remember of them when it starts over. */
export interface AttemptCalls {
  readonly campaignManager: CampaignManager
  isAsked: boolean
  /** The last write that was. */
  overtaken: Overtaken | undefined
}

export function watchCalls(campaignManager: CampaignManager): AttemptCalls {
  const replaceAccount: CampaignManager['replaceAccount'] = async (accountId, input, etag) => {
    try {
      return await campaignManager.replaceAccount(accountId, input, etag)
    } catch (error) {
      if (error instanceof CampaignManagerError && error.code === 'precondition_failed') {
        calls.overtaken = { accountId, input, etag }
      }
      throw error
    }
  }
  const calls: AttemptCalls = {
    isAsked: false,
    overtaken: undefined,
    campaignManager: new Proxy(campaignManager, {
      get(target, operation) {
        calls.isAsked = true
        return operation === 'replaceAccount' ? replaceAccount : Reflect.get(target, operation)
      },
    }),
  }
  return calls
}
