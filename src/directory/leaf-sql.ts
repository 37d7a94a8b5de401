import { type RawBuilder, sql } from 'kysely'
import type { Attribute } from '../scim/attribute.ts'
import type { CompareOperator, FilterValue } from '../scim/filter.ts'
import { comparable } from '../scim/fold.ts'

export type Condition = RawBuilder<boolean>
/** A value as text, null where there is none. */
export type TextExpression = RawBuilder<string | null>

/** A filter's literal in the form in which the folded document keeps values. */
export const storedForm = (attribute: Attribute, value: FilterValue): FilterValue =>
  typeof value === 'string' ? comparable(attribute, value) : value

type Compare = (left: RawBuilder<unknown>, right: RawBuilder<unknown>) => Condition

const textual: Readonly<Record<CompareOperator, Compare>> = {
  eq: (left, right) => sql`${left} = ${right}`,
  ne: (left, right) => sql`${left} <> ${right}`,
  co: (left, right) => sql`strpos(${left}, ${right}) > 0`,
  sw: (left, right) => sql`starts_with(${left}, ${right})`,
  ew: (left, right) => sql`right(${left}, length(${right})) = ${right}`,
  // By code points, whatever the database's collation: as the matcher in memory does.
  gt: (left, right) => sql`${left} collate "C" > ${right}`,
  ge: (left, right) => sql`${left} collate "C" >= ${right}`,
  lt: (left, right) => sql`${left} collate "C" < ${right}`,
  le: (left, right) => sql`${left} collate "C" <= ${right}`,
}

const numeric: Readonly<Partial<Record<CompareOperator, Compare>>> = {
  eq: textual.eq,
  ne: textual.ne,
  gt: (left, right) => sql`${left} > ${right}`,
  ge: (left, right) => sql`${left} >= ${right}`,
  lt: (left, right) => sql`${left} < ${right}`,
  le: (left, right) => sql`${left} <= ${right}`,
}

/** Compares one value; null where there is none (RFC 7644 §3.4.2.2). */
export function compareLeaf(
  attribute: Attribute,
  operator: CompareOperator,
  value: FilterValue,
  expression: TextExpression,
): Condition {
  const stored = storedForm(attribute, value)
  if (typeof stored === 'number') {
    const compare = numeric[operator]
    return compare ? compare(sql`(${expression})::numeric`, sql`${String(stored)}::numeric`) : sql`false`
  }
  return textual[operator](expression, sql`${String(stored)}::text`)
}
