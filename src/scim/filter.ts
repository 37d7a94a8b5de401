import type { AttributePath, ResourceType } from './attribute.ts'
import { invalidFilter, type ScimError, tooMany } from './error.ts'
import {
  type CompareOperator,
  compareOperators,
  type FilterValue,
  isNull,
  readLiteral,
} from './filter-literal.ts'
import { type Token, tokenize } from './filter-token.ts'
import { parseAttributePath, subPath, valuePathOf } from './path.ts'

export type { CompareOperator, FilterValue } from './filter-literal.ts'
export { printFilter } from './filter-print.ts'

/**
 * RFC 7644 §3.4.2.2. `x eq null` and `x ne null` become `not (x pr)` and `x pr` (RFC 7643 §2.5), a comparison with a
 * complex attribute one with its `value`, and `emails[type eq "work"].value eq "x"`, which Entra sends (fixture
 * filter-work-email), `emails[type eq "work" and value eq "x"]`.
 *
 * A comparison holds when any value satisfies it; `ne` holds also when there is no value. When several types are searched
 * together, a term about an attribute that this one does not have is a constant: it has no value (RFC 7644 §3.4.2.1).
 */
export type Filter =
  | {
      readonly kind: 'compare'
      readonly path: AttributePath
      readonly op: CompareOperator
      readonly value: FilterValue
    }
  | { readonly kind: 'present'; readonly path: AttributePath }
  /** One element satisfies all of `filter`, in which every path names a sub-attribute of this attribute. */
  | { readonly kind: 'valuePath'; readonly path: AttributePath; readonly filter: Filter }
  | { readonly kind: 'and' | 'or'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'not'; readonly filter: Filter }
  | { readonly kind: 'constant'; readonly holds: boolean }

/** Bounds on what one request may make the server do; Entra's filters have two terms at most. */
const MAX_LENGTH = 4096
const MAX_DEPTH = 16
const MAX_TERMS = 50

interface Parsing {
  /** The type of which names are looked up; for a while one of `others`. */
  type: ResourceType
  readonly others: readonly ResourceType[]
  readonly tokens: readonly Token[]
  position: number
  depth: number
  terms: number
  /** The attribute whose elements are being described, between the brackets of a value path. */
  parent: AttributePath | undefined
  /** Within the brackets of an attribute that no type has. */
  isUnknown: boolean
}

/**
 * @param others the types that are searched together with this one: what they alone have is no fault in the filter
 */
export function parseFilter(type: ResourceType, text: string, others: readonly ResourceType[] = []): Filter {
  const parsing = begin(type, text, others)
  if (peek(parsing).kind === 'end') throw invalidFilter('the filter is empty')
  const filter = parseOr(parsing)
  expect(parsing, 'end', "'and', 'or' or the end")
  return filter
}

/** `emails[type eq "work"]` or `emails[type eq "work"].value`, as the path of a PATCH operation. */
export function parseValuePath(type: ResourceType, text: string): { path: AttributePath; filter: Filter } {
  const parsing = begin(type, text, [])
  const name = expect(parsing, 'word', 'an attribute')
  const { path, filter } = parseElements(parsing, name)
  const sub = parseSubAttribute(parsing, name)
  expect(parsing, 'end', 'the end')
  return { path: sub ?? path, filter }
}

function begin(type: ResourceType, text: string, others: readonly ResourceType[]): Parsing {
  if (text.length > MAX_LENGTH) throw invalidFilter(`the filter is longer than ${MAX_LENGTH} characters`)
  return {
    type,
    others,
    tokens: tokenize(text),
    position: 0,
    depth: 0,
    terms: 0,
    parent: undefined,
    isUnknown: false,
  }
}

function parseOr(parsing: Parsing): Filter {
  let left = parseAnd(parsing)
  while (takeWord(parsing, 'or')) left = { kind: 'or', left, right: parseAnd(parsing) }
  return left
}

function parseAnd(parsing: Parsing): Filter {
  let left = parseFactor(parsing)
  while (takeWord(parsing, 'and')) left = { kind: 'and', left, right: parseFactor(parsing) }
  return left
}

function parseFactor(parsing: Parsing): Filter {
  if (peek(parsing).kind === '(') return parseGroup(parsing)
  // The grammar has `not(`, the examples have `not (`.
  if (peek(parsing, 1).kind === '(' && takeWord(parsing, 'not')) {
    return { kind: 'not', filter: parseGroup(parsing) }
  }
  return parseTerm(parsing)
}

function parseGroup(parsing: Parsing): Filter {
  const filter = nested(parsing, expect(parsing, '(', "'('"), () => parseOr(parsing))
  expect(parsing, ')', "')'")
  return filter
}

function parseTerm(parsing: Parsing): Filter {
  const name = expect(parsing, 'word', 'an attribute')
  const { type, others } = parsing
  const owner = parsing.parent ? type : [type, ...others].find((each) => parseAttributePath(each, name.text))
  if (parsing.isUnknown || (owner === undefined && others.length > 0)) return parseUnknownTerm(parsing, name)
  if (owner === undefined || owner === type) return parseNamedTerm(parsing, name)
  parsing.type = owner
  const term = parseNamedTerm(parsing, name)
  parsing.type = type
  return { kind: 'constant', holds: holdsWithoutValue(term) }
}

/** What no type has is no fault where several are searched: it has no value (RFC 7644 §3.4.2.1). */
function parseUnknownTerm(parsing: Parsing, name: Token): Filter {
  const bracket = peek(parsing)
  if (bracket.kind !== '[') return parseComparison(parsing, name, undefined)
  if (parsing.isUnknown) throw fault(bracket, 'a value path cannot stand inside another one')
  take(parsing)
  parsing.isUnknown = true
  nested(parsing, bracket, () => parseOr(parsing))
  parsing.isUnknown = false
  expect(parsing, ']', "']'")
  return { kind: 'constant', holds: false }
}

function holdsWithoutValue(term: Filter): boolean {
  if (term.kind === 'not') return !holdsWithoutValue(term.filter)
  return term.kind === 'compare' && term.op === 'ne'
}

function parseNamedTerm(parsing: Parsing, name: Token): Filter {
  if (peek(parsing).kind !== '[') return parseComparison(parsing, name, attributeNamed(parsing, name))
  const elements = parseElements(parsing, name)
  const sub = parseSubAttribute(parsing, name)
  if (!sub) return { kind: 'valuePath', ...elements }
  const right = parseComparison(parsing, name, sub)
  return { kind: 'valuePath', path: elements.path, filter: { kind: 'and', left: elements.filter, right } }
}

function parseElements(parsing: Parsing, name: Token): { path: AttributePath; filter: Filter } {
  const path = attributeNamed(parsing, name)
  const bracket = expect(parsing, '[', "'['")
  if (parsing.parent || path.subAttribute || !path.attribute.multiValued) {
    throw fault(name, `'${name.text}' does not have elements to choose from`)
  }
  parsing.parent = path
  const filter = nested(parsing, bracket, () => parseOr(parsing))
  parsing.parent = undefined
  expect(parsing, ']', "']'")
  return { path, filter }
}

/** The `.value` right behind the bracket that closes a value path. */
function parseSubAttribute(parsing: Parsing, name: Token): AttributePath | undefined {
  const bracket = peek(parsing, -1)
  const sub = peek(parsing)
  if (sub.kind !== 'word' || !sub.text.startsWith('.') || sub.start !== bracket.start + 1) return undefined
  const path = parseAttributePath(parsing.type, name.text + sub.text)
  if (!path) throw fault(sub, `'${name.text}' has no sub-attribute '${sub.text.slice(1)}'`)
  take(parsing)
  return path
}

/** @param named undefined for what no type has */
function parseComparison(parsing: Parsing, name: Token, named: AttributePath | undefined): Filter {
  if (++parsing.terms > MAX_TERMS) throw tooMany(`the filter has more than ${MAX_TERMS} terms`)
  const word = expect(parsing, 'word', 'an operator')
  const operator = word.text.toLowerCase()
  if (operator === 'pr') return named ? { kind: 'present', path: named } : { kind: 'constant', holds: false }
  const op = compareOperators.find((each) => each === operator)
  if (!op) throw fault(word, `'${word.text}' is no operator`)
  const literal = take(parsing)
  if (literal.kind !== 'string' && literal.kind !== 'word') throw expected(literal, 'a value')
  if (!named) return { kind: 'constant', holds: isNull(literal) ? op === 'eq' : op === 'ne' }
  const path = valuePathOf(named) ?? named
  const read = readLiteral(path, op, literal)
  if ('fault' in read) {
    // Of another type it may be an attribute of this name to which the value belongs.
    if (!fitsAnother(parsing, name, op, literal)) throw fault(name, `'${name.text}' ${read.fault}`)
    return { kind: 'constant', holds: op === 'ne' }
  }
  if (read.value !== null) return { kind: 'compare', path, op, value: read.value }
  const present: Filter = { kind: 'present', path }
  return op === 'ne' ? present : { kind: 'not', filter: present }
}

const fitsAnother = ({ others }: Parsing, name: Token, op: CompareOperator, literal: Token): boolean =>
  others.some((type) => {
    const named = parseAttributePath(type, name.text)
    return named !== undefined && !('fault' in readLiteral(valuePathOf(named) ?? named, op, literal))
  })

/** Attributes that are never returned cannot be asked after either: a filter would tell a password bit by bit. */
function attributeNamed({ type, parent }: Parsing, name: Token): AttributePath {
  const path = parent ? subPath(type, parent, name.text) : parseAttributePath(type, name.text)
  if (path && path.attribute.returned !== 'never') return path
  throw fault(
    name,
    `${parent ? `'${parent.attribute.name}'` : type.name} has no attribute '${name.text}' to filter by`,
  )
}

function nested(parsing: Parsing, opening: Token, parse: () => Filter): Filter {
  if (++parsing.depth > MAX_DEPTH)
    throw fault(opening, `the filter is nested deeper than ${MAX_DEPTH} levels`)
  const filter = parse()
  parsing.depth--
  return filter
}

/** The last token is 'end', and nothing reads past it. */
const peek = ({ tokens, position }: Parsing, ahead = 0): Token =>
  tokens[position + ahead] ?? (tokens.at(-1) as Token)

function take(parsing: Parsing): Token {
  const token = peek(parsing)
  parsing.position++
  return token
}

function takeWord(parsing: Parsing, word: string): boolean {
  const token = peek(parsing)
  if (token.kind !== 'word' || token.text.toLowerCase() !== word) return false
  parsing.position++
  return true
}

function expect(parsing: Parsing, kind: Token['kind'], what: string): Token {
  const token = take(parsing)
  if (token.kind !== kind) throw expected(token, what)
  return token
}

const expected = (token: Token, what: string): ScimError =>
  fault(
    token,
    `expected ${what}, found ${token.kind === 'end' ? 'the end' : token.kind === 'string' ? 'a string' : `'${token.text}'`}`,
  )

const fault = (token: Token, what: string): ScimError =>
  invalidFilter(`character ${token.start + 1}: ${what}`)
