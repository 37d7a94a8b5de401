import type { User } from './contract.ts'

/** The accounts and the roles as text that a person reads in a terminal. */
export function accountTable(users: readonly User[], roles: readonly string[]): string {
  const header = ['E-MAIL', 'NAME', 'ENABLED', 'ROLES', 'ID']
  const rows = users.map((user) => [
    user.email,
    user.displayName ?? [user.firstName, user.lastName].filter((part) => part !== undefined).join(' '),
    user.enabled ? 'yes' : 'no',
    user.roles.join(', '),
    user.id,
  ])
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, shown(row[column]).length), title.length),
  )
  const lines = [header, ...rows].map((row) =>
    row
      .map((cell, column) => shown(cell).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const count = `${users.length} ${users.length === 1 ? 'account' : 'accounts'}`
  return `${lines.join('\n')}\n\n${count}\nRoles: ${roles.join(', ')}\n`
}

/** Without control characters, which a terminal would obey. */
function shown(cell: string | undefined): string {
  return (cell ?? '').replaceAll(/\p{Cc}/gu, ' ')
}
