import type { AttributePath } from './attribute.ts'
import type { Filter } from './filter.ts'
import { printAttributePath } from './path.ts'

/** The filter as text, which parses to the same filter again. */
export const printFilter = (filter: Filter): string => print(filter, printAttributePath)

function print(filter: Filter, name: (path: AttributePath) => string): string {
  switch (filter.kind) {
    case 'compare':
      return `${name(filter.path)} ${filter.op} ${JSON.stringify(filter.value)}`
    case 'present':
      return `${name(filter.path)} pr`
    case 'valuePath':
      return `${name(filter.path)}[${print(filter.filter, elementName)}]`
    case 'constant':
      // Every resource has an id.
      return filter.holds ? 'id pr' : 'not (id pr)'
    case 'not':
      return `not (${print(filter.filter, name)})`
    case 'or':
      return `${print(filter.left, name)} or ${inGroup(filter.right, ['or'], name)}`
    case 'and':
      return `${inGroup(filter.left, ['or'], name)} and ${inGroup(filter.right, ['or', 'and'], name)}`
  }
}

/** Both `and` and `or` group to the left, and `and` binds tighter; other structure needs parentheses. */
function inGroup(
  filter: Filter,
  kinds: readonly Filter['kind'][],
  name: (path: AttributePath) => string,
): string {
  const text = print(filter, name)
  return kinds.includes(filter.kind) ? `(${text})` : text
}

const elementName = (path: AttributePath): string => path.subAttribute?.name ?? path.attribute.name
