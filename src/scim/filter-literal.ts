import type { Attribute, AttributePath } from './attribute.ts'
import { parseDateTime } from './date-time.ts'
import { booleanFromText } from './entra.ts'
import type { Token } from './filter-token.ts'
import { isStorableText } from './text.ts'

export const compareOperators = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const
export type CompareOperator = (typeof compareOperators)[number]
export type FilterValue = string | number | boolean

const TEXT: readonly CompareOperator[] = compareOperators
const ORDER: readonly CompareOperator[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le']
const EQUALITY: readonly CompareOperator[] = ['eq', 'ne']

/** RFC 7644 §3.4.2.2, Table 3: Boolean and binary values have no order; parts of a text are sought in texts only. */
const operatorsFor: Readonly<Record<Exclude<Attribute['type'], 'complex'>, readonly CompareOperator[]>> = {
  string: TEXT,
  reference: TEXT,
  binary: EQUALITY,
  boolean: EQUALITY,
  integer: ORDER,
  decimal: ORDER,
  dateTime: ORDER,
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** The value that a literal has in a comparison, null for "unassigned"; or, in words, why it cannot be compared. */
export function readLiteral(
  path: AttributePath,
  operator: CompareOperator,
  literal: Token,
): { value: FilterValue | null } | { fault: string } {
  const { type } = path.subAttribute ?? path.attribute
  if (type === 'complex') return { fault: 'has no single value to compare: name one of its sub-attributes' }
  if (!operatorsFor[type].includes(operator))
    return { fault: `is a ${type}, which '${operator}' does not compare` }
  if (isNull(literal)) {
    return EQUALITY.includes(operator)
      ? { value: null }
      : { fault: `cannot be compared with null by '${operator}'` }
  }
  const value = typedValue(type, literal)
  return value === undefined ? { fault: `must be compared with a ${type}` } : { value }
}

/** RFC 7643 §2.5: unassigned. */
export const isNull = ({ kind, text }: Token): boolean => kind === 'word' && text.toLowerCase() === 'null'

function typedValue(type: Attribute['type'], { kind, text }: Token): FilterValue | undefined {
  switch (type) {
    case 'boolean':
      return booleanFromText(text)
    case 'integer':
    case 'decimal':
      return kind === 'word' && NUMBER.test(text) ? Number(text) : undefined
    case 'dateTime':
      return parseDateTime(text) === undefined ? undefined : text
    default:
      // A plain word is taken as a string, which Microsoft's documentation needs (fixture filter-unquoted-value).
      return isStorableText(text) && !(kind === 'word' && text.includes("'")) ? text : undefined
  }
}
