import type { CampaignManager } from './campaign-manager.ts'

export type RoleCatalogOptions = {
  campaignManager: Pick<CampaignManager, 'listRoles'>
  ttlMs: number
  now: () => number
}

export type RoleCatalog = {
  /** The roles' names. Callers that come while a list is being fetched share that fetch. */
  get(): Promise<readonly string[]>
  /** The names while they are fresh, without asking. */
  peek(): readonly string[] | undefined
  /** The next `get` asks anew, even while an older fetch is under way. */
  invalidate(): void
}

/**
 * The names of Campaign Manager's roles, believed for `ttlMs` from the moment they were asked for. A refresh that fails
 * throws, and no list is served past its time: an old list would have a group refused for a role that was made since, or
 * accepted for one that is gone, while the caller knows what to do when Campaign Manager cannot be asked (accept and hold).
 */
export function createRoleCatalog({ campaignManager, ttlMs, now }: RoleCatalogOptions): RoleCatalog {
  let kept: { names: readonly string[]; askedAt: number } | undefined
  let fetching: Promise<readonly string[]> | undefined

  function peek(): readonly string[] | undefined {
    if (kept === undefined) return undefined
    const age = now() - kept.askedAt
    // A clock that was set back leaves the age unknown.
    return age >= 0 && age < ttlMs ? kept.names : undefined
  }

  function fetch(): Promise<readonly string[]> {
    const askedAt = now()
    const current = campaignManager
      .listRoles()
      .then((roles) => Object.freeze(roles.map(({ name }) => name)))
      .then((names) => {
        // Only the latest fetch may leave its answer: an older one saw an older list.
        if (fetching === current) kept = { names, askedAt }
        return names
      })
      .finally(() => {
        if (fetching === current) fetching = undefined
      })
    fetching = current
    return current
  }

  return {
    get: async () => peek() ?? fetching ?? fetch(),
    peek,
    invalidate: () => {
      kept = undefined
      fetching = undefined
    },
  }
}
