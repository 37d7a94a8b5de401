/** Rows under headings, in columns as wide as their widest cell. */
export function formatTable(headings: readonly string[], texts: readonly (readonly string[])[]): string {
  const rows = texts.map((cells) => cells.map((text) => printable(text)))
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(headings), ...rows.map(line)].map((text) => `${text}\n`).join('')
}

export const formatJson = (value: unknown): string => `${printable(JSON.stringify(value, null, 2), '\n')}\n`

/** Control characters, line ends of whatever kind, and what turns the direction of a text. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * Text that somebody else wrote, so that it moves nothing on a terminal and begins no line of its own. What is escaped reads as
 * in JSON.
 */
export const printable = (text: string, allowed = ''): string =>
  text.replace(UNPRINTABLE, (character) =>
    character === allowed ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
