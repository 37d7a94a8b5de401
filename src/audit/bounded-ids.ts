/** How many ids an entry holds of one kind. */
export const MOST_IDS = 1000

/** How many there are, and which, unless they are too many for an entry. */
export const boundedIds = (
  ids: readonly string[],
): { readonly count: number; readonly ids?: readonly string[] } => ({
  count: ids.length,
  ...(ids.length <= MOST_IDS && { ids }),
})
