const fold = (name: string): string => name.normalize('NFC').toLowerCase()

/** Whether two names mean the same role: Campaign Manager's roles and Entra's groups are told apart without case. */
export const sameRole = (a: string, b: string): boolean => fold(a) === fold(b)

export const includesRole = (roles: readonly string[], name: string): boolean =>
  roles.some((role) => sameRole(role, name))

/**
 * The role that a group's name stands for, as Campaign Manager spells it: the exact name, else the only one that
 * differs in case alone. Undefined when there is none, or more than one.
 */
export function matchRole(name: string, catalog: readonly string[]): string | undefined {
  if (catalog.includes(name)) return name
  const candidates = catalog.filter((role) => sameRole(role, name))
  return candidates.length === 1 ? candidates[0] : undefined
}
