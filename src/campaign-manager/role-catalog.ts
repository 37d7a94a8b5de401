import type { CampaignManager } from './campaign-manager.ts'

export type RoleCatalogOptions = {
  campaignManager: Pick<CampaignManager, 'listRoles'>
  ttlMs: number
  now: () => number
}

/** Who misses a role in an older list than this looks anew before it is said that there is none: somebody may just have made it. */
export const RECENT_ROLES_MS = 5_000

export type RoleCatalog = {
  /**
   * The roles' names, by a list no older than `maxAgeMs` (`ttlMs` unless told). Callers that come while a list is being fetched
   * share that fetch, unless it was asked for longer ago than they were told.
   */
  get(maxAgeMs?: number): Promise<readonly string[]>
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
  let fetching: { answer: Promise<readonly string[]>; askedAt: number } | undefined

  function notOlderThan(maxAgeMs: number): readonly string[] | undefined {
    if (kept === undefined) return undefined
    const age = now() - kept.askedAt
    // A clock that was set back leaves the age unknown.
    return age >= 0 && age < maxAgeMs ? kept.names : undefined
  }

  function fetch(): Promise<readonly string[]> {
    const askedAt = now()
    const answer = campaignManager
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
    const current = { answer, askedAt }
    fetching = current
    return answer
  }

  return {
    get: async (maxAgeMs) => {
      const isTooOld = fetching && maxAgeMs !== undefined && now() - fetching.askedAt >= maxAgeMs
      const shared = isTooOld ? undefined : fetching?.answer
      return notOlderThan(Math.min(maxAgeMs ?? ttlMs, ttlMs)) ?? shared ?? fetch()
    },
    peek: () => notOlderThan(ttlMs),
    invalidate: () => {
      kept = undefined
      fetching = undefined
    },
  }
}
