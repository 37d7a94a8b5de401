import { invalidFilter } from './error.ts'

export type Token = {
  readonly kind: 'word' | 'string' | '(' | ')' | '[' | ']' | 'end'
  /** A string's value without quotes and escapes; a word as it stands. */
  readonly text: string
  /** Where it begins, counted from 0. */
  readonly start: number
}

/**
 * Cuts a filter into tokens in one pass. RFC 7644 §3.4.2.2 separates with single spaces; any white space is taken, and
 * none where no doubt can arise (the RFC's own `value eq"…"` of §3.5.2.2).
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let position = 0
  while (position < text.length) {
    const character = text.charAt(position)
    if (isSpace(character)) {
      position++
      continue
    }
    const end = isBracket(character)
      ? position + 1
      : character === '"'
        ? stringEnd(text, position)
        : wordEnd(text, position)
    const slice = text.slice(position, end)
    if (isBracket(character)) tokens.push({ kind: character, text: slice, start: position })
    else if (character === '"')
      tokens.push({ kind: 'string', text: stringValue(slice, position), start: position })
    else tokens.push({ kind: 'word', text: slice, start: position })
    position = end
  }
  return [...tokens, { kind: 'end', text: '', start: text.length }]
}

const isSpace = (character: string): boolean =>
  character === ' ' || character === '\t' || character === '\n' || character === '\r'

const isBracket = (character: string): character is '(' | ')' | '[' | ']' =>
  character === '(' || character === ')' || character === '[' || character === ']'

function wordEnd(text: string, start: number): number {
  let end = start
  while (end < text.length) {
    const character = text.charAt(end)
    if (isSpace(character) || isBracket(character) || character === '"') break
    end++
  }
  return end
}

function stringEnd(text: string, start: number): number {
  for (let end = start + 1; end < text.length; end++) {
    const character = text.charAt(end)
    if (character === '\\') end++
    else if (character === '"') return end + 1
  }
  throw invalidFilter(`the string at character ${start + 1} is not closed`)
}

/** Strings are JSON strings: RFC 7644 §3.4.2.2, Figure 1, compValue. */
function stringValue(slice: string, start: number): string {
  try {
    return JSON.parse(slice) as string
  } catch (cause) {
    throw invalidFilter(`the string at character ${start + 1} is not a JSON string`, { cause })
  }
}
