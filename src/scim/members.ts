import { type AttributePath, isObject, nameKey } from './attribute.ts'
import { elementFromClient, isUnassigned, listFromClient } from './entra.ts'
import { invalidPath, invalidValue, mutability, noTarget } from './error.ts'
import type { Filter } from './filter.ts'
import type { PatchOperation } from './patch-parse.ts'
import { groupSchema } from './schemas/group.ts'
import { isStorableText } from './text.ts'

/**
 * A change of a group's members. They may be many and are kept apart from the group, so they are never applied to a
 * document: what a request costs is what it names, not what the group holds.
 */
export type MemberChange =
  | { readonly kind: 'add' | 'remove' | 'replace'; readonly values: readonly string[] }
  | { readonly kind: 'removeWhere'; readonly filter: Filter }

export const isMembers = ({ schema, attribute }: AttributePath): boolean =>
  schema === groupSchema.id && attribute.name === 'members'

/** Takes a group's member changes out of a PATCH, in their order; the rest is for applyPatch. */
export function splitMemberOperations(operations: readonly PatchOperation[]): {
  attributes: PatchOperation[]
  members: MemberChange[]
} {
  const attributes: PatchOperation[] = []
  const members: MemberChange[] = []
  for (const operation of operations) {
    const { target } = operation
    if (target.kind === 'schema' || !isMembers(target.path)) attributes.push(operation)
    else
      members.push(
        memberChange(operation, target.path, target.kind === 'elements' ? target.filter : undefined),
      )
  }
  return { attributes, members }
}

function memberChange(
  operation: PatchOperation,
  path: AttributePath,
  filter: Filter | undefined,
): MemberChange {
  if (operation.op === 'remove') return removal(operation.value, path, filter)
  const part = path.subAttribute?.name
  if (filter)
    return isUnassigned(operation.value)
      ? clearing(operation.op, part, filter)
      : addition(operation.value, part, filter)
  if (part === undefined) return { kind: operation.op, values: readMemberValues(operation.value) }
  if (part === 'value' && operation.op === 'add')
    return { kind: 'add', values: readMemberValues(operation.value) }
  throw immutable(part)
}

/**
 * Entra removes just the members that `value` lists (fixture remove-member-by-value); the RFC knows no value here. An
 * empty list removes nobody: it must not be mistaken for "all".
 */
function removal(sent: unknown, path: AttributePath, filter: Filter | undefined): MemberChange {
  const part = path.subAttribute?.name
  if (part !== undefined && part !== 'value') throw immutable(part)
  if (filter) return removalWhere(filter)
  if (sent === undefined || sent === null || sent === '') return { kind: 'replace', values: [] }
  return { kind: 'remove', values: readMemberValues(sent) }
}

/** To replace a member by nothing is to remove it; to add nothing is to change nothing (RFC 7643 §2.5). */
function clearing(op: 'add' | 'replace', part: string | undefined, filter: Filter): MemberChange {
  if (part !== undefined && part !== 'value') throw immutable(part)
  return op === 'add' ? { kind: 'add', values: [] } : removalWhere(filter)
}

/** `members[value eq "x"]` with add or replace says that x is a member, and may not say anything else of it. */
function addition(sent: unknown, part: string | undefined, filter: Filter): MemberChange {
  const values = namedValues(filter)
  if (!values) throw noTarget('a filter on members must name them by value when members are added')
  if (part !== undefined && part !== 'value') throw immutable(part)
  const said = part === undefined && isObject(sent) && !hasValue(sent) ? [] : readMemberValues(sent)
  if (said.some((value) => !values.includes(value))) throw immutable('value')
  return { kind: 'add', values }
}

const immutable = (part: string) =>
  mutability(`members.${part} is immutable: remove the member and add the other one (RFC 7643 §4.2)`)

function removalWhere(filter: Filter): MemberChange {
  const values = namedValues(filter)
  if (values) return { kind: 'remove', values }
  // Where members are kept nobody knows by what address this server is reached, and a guess would remove the wrong ones.
  if (mentionsReference(filter)) {
    throw invalidPath("members can be picked by '$ref eq' and a member's address, or by their value")
  }
  return { kind: 'removeWhere', filter }
}

function mentionsReference(filter: Filter): boolean {
  switch (filter.kind) {
    case 'compare':
    case 'present':
      return filter.path.subAttribute?.name === '$ref'
    case 'and':
    case 'or':
      return mentionsReference(filter.left) || mentionsReference(filter.right)
    case 'not':
    case 'valuePath':
      return mentionsReference(filter.filter)
    case 'constant':
      return false
  }
}

/** The values that a filter of `value eq` or `$ref eq` alone, joined by `or`, names. */
function namedValues(filter: Filter): string[] | undefined {
  if (filter.kind === 'compare') {
    if (filter.op !== 'eq' || typeof filter.value !== 'string') return undefined
    const named = filter.path.subAttribute?.name === '$ref' ? referencedId(filter.value) : filter.value
    const isNaming = ['value', '$ref'].includes(filter.path.subAttribute?.name ?? '')
    return isNaming && named !== undefined ? [named] : undefined
  }
  if (filter.kind !== 'or') return undefined
  const left = namedValues(filter.left)
  const right = namedValues(filter.right)
  return left && right && [...new Set([...left, ...right])]
}

/**
 * The members that a request names, without repeats: objects with a `value` (their `$ref` and `type` follow from it,
 * and a `display` is passed over), plain strings, or one of either without an array.
 */
export function readMemberValues(sent: unknown): string[] {
  return [...new Set(listFromClient(sent).map(memberValue))]
}

function memberValue(sent: unknown): string {
  const element = elementFromClient(sent)
  const value = isObject(element)
    ? (partOf(element, 'value') ?? referencedId(partOf(element, '$ref')))
    : undefined
  if (typeof value !== 'string' || value === '')
    throw invalidValue('members.value must be a non-empty string')
  if (!isStorableText(value)) throw invalidValue('members.value contains U+0000 or half of a surrogate pair')
  return value
}

const partOf = (element: object, part: string): unknown =>
  Object.entries(element).find(([name]) => nameKey(name) === part)?.[1]

const hasValue = (element: object): boolean =>
  Object.keys(element).some((name) => ['value', '$ref'].includes(nameKey(name)))

/** The id in the address of a user, absolute or relative. */
const referencedId = (reference: unknown): string | undefined =>
  typeof reference === 'string' ? /(?:^|\/)Users\/([^/?#]+)$/.exec(reference)?.[1] : undefined
