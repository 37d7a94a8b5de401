import {
  type Attribute,
  type AttributePath,
  isSimpleList,
  type JsonObject,
  type ResourceType,
} from './attribute.ts'
import { collapse, demote, describesOnly, isPrimary, withoutElements } from './elements.ts'
import { elementDescribedBy, isUnassigned } from './entra.ts'
import { invalidValue, noTarget } from './error.ts'
import type { Filter } from './filter.ts'
import { elementMatches } from './filter-match.ts'
import type { PatchOperation } from './patch-parse.ts'
import { printAttributePath } from './path.ts'
import { readElements, readValue } from './value.ts'

type Elements = readonly JsonObject[]

/** An operation on a multi-valued attribute as a whole, such as `emails`. Simple values come as objects with a `value`. */
export function patchList(
  type: ResourceType,
  before: Elements,
  path: AttributePath,
  operation: PatchOperation,
): Elements {
  const sent = readElements(type, path, operation.value)
  switch (operation.op) {
    case 'remove':
      // As with members, a value says which ones, and an empty list none; without it all go (RFC 7644 §3.5.2.2).
      return isUnassigned(operation.value) && !Array.isArray(operation.value)
        ? []
        : withoutElements(path, before, sent)
    case 'replace':
      return sent
    case 'add':
      // To add no values is to change nothing.
      return collapse(path, [...(sent.some(isPrimary) ? demote(before) : before), ...sent])
  }
}

/** An operation on a sub-attribute of every element, such as `emails.type`; of a first one when there is none. */
export function patchEveryElement(
  type: ResourceType,
  before: Elements,
  path: AttributePath,
  operation: PatchOperation,
): Elements {
  const change = changeOf(type, path, operation)
  if (change.kind === 'set' && before.length === 0) return [change.parts]
  return update(path, before, () => true, change)
}

/** An operation on the elements that a filter picks, such as `emails[type eq "work"]`, or on a part of them. */
export function patchElements(
  type: ResourceType,
  before: Elements,
  path: AttributePath,
  filter: Filter,
  operation: PatchOperation,
): Elements {
  const change = changeOf(type, path, operation)
  const picked = new Set(before.filter((element) => elementMatches(filter, element)))
  if (picked.size > 0 || change.kind !== 'set')
    return update(path, before, (element) => picked.has(element), change)
  const said = elementDescribedBy(filter)
  if (!said) throw noTarget(`${printAttributePath(path)}: no value matches the filter of the path`)
  const { subAttribute: _part, ...whole } = path
  const [described = {}] = readElements(type, whole, isSimpleList(path.attribute) ? said.value : said)
  return update(path, [...before, described], (element) => element === described, change)
}

/** What becomes of each picked element. */
type Change =
  | { readonly kind: 'drop' }
  | { readonly kind: 'set'; readonly parts: JsonObject }
  | { readonly kind: 'clear'; readonly part: string }

function changeOf(type: ResourceType, path: AttributePath, operation: PatchOperation): Change {
  const part = path.subAttribute?.name
  if (part !== undefined) {
    const value = operation.op === 'remove' ? undefined : readValue(type, path, operation.value)
    return value === undefined ? { kind: 'clear', part } : { kind: 'set', parts: { [part]: value } }
  }
  if (operation.op === 'remove' || isUnassigned(operation.value)) return { kind: 'drop' }
  const [parts, ...others] = readElements(type, path, operation.value)
  if (others.length > 0)
    throw invalidValue(`${printAttributePath(path)}: a path with a filter takes one value`)
  return parts ? { kind: 'set', parts } : { kind: 'drop' }
}

/** Parts that a change does not name stay as they are: RFC 7644 §3.5.2.3. */
function update(
  path: AttributePath,
  before: Elements,
  isPicked: (element: JsonObject) => boolean,
  change: Change,
): Elements {
  const makesPrimary = change.kind === 'set' && isPrimary(change.parts)
  const after = before.flatMap((element) =>
    isPicked(element)
      ? changed(path.attribute, element, change)
      : makesPrimary
        ? demote([element])
        : [element],
  )
  return collapse(path, after)
}

function changed(attribute: Attribute, element: JsonObject, change: Change): Elements {
  switch (change.kind) {
    case 'drop':
      return []
    case 'set':
      return [{ ...element, ...change.parts }]
    case 'clear': {
      const { [change.part]: cleared, ...rest } = element
      return cleared !== undefined && describesOnly(attribute, rest) ? [] : [rest]
    }
  }
}
