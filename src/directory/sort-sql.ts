import { sql } from 'kysely'
import type { Attribute, AttributePath } from '../scim/attribute.ts'
import type { TextExpression } from './leaf-sql.ts'
import { elementsOf, leafOf, type Scope, singleValue } from './place-sql.ts'

/** Texts are sorted by so many characters, because a cursor carries them. */
const MAX_KEY_LENGTH = 256

const numericTypes: readonly Attribute['type'][] = ['integer', 'decimal', 'dateTime']

export const isNumericKey = (path: AttributePath): boolean => numericTypes.includes(leafOf(path).type)

/** RFC 7644 §3.4.2.3: of several values the primary one counts, else the first; without case where caseExact is false. */
export function sortKey(scope: Scope, path: AttributePath): TextExpression {
  const value = path.attribute.multiValued ? firstElement(scope, path) : singleValue(scope, path)
  return isNumericKey(path) ? value : sql`left(${value}, ${MAX_KEY_LENGTH}::integer)`
}

function firstElement(scope: Scope, path: AttributePath): TextExpression {
  const { from, part, order } = elementsOf(scope, path)
  return sql`(select ${part(path.subAttribute?.name)} from ${from} order by ${order} limit 1)`
}
