import {
  type AttributePath,
  isObject,
  isReference,
  isSimpleList,
  type JsonObject,
  type Resource,
  type ResourceType,
} from './attribute.ts'
import { requireStillComplete } from './complete.ts'
import { requireImmutable } from './immutable.ts'
import { patchElements, patchEveryElement, patchList } from './patch-elements.ts'
import type { PatchOperation } from './patch-parse.ts'
import { requireKept } from './patch-required.ts'
import { elementsAt, valueAt, withElements, withValue } from './place.ts'
import { readValue } from './value.ts'

export { type PatchOperation, parsePatch } from './patch-parse.ts'
export type { PatchPath } from './patch-path.ts'

/**
 * The resource after all operations, each of which sees what those before it did (RFC 7644 §3.5.2). The resource given
 * is left as it is, so a failing operation undoes all of them by throwing.
 */
export function applyPatch(
  type: ResourceType,
  resource: Resource,
  operations: readonly PatchOperation[],
): Resource {
  const patched = operations.reduce(
    (current, operation) => applyOperation(type, current, operation),
    resource,
  )
  const kept = requireImmutable(type, resource, patched)
  requireStillComplete(type, resource, kept)
  return kept
}

function applyOperation(type: ResourceType, resource: Resource, operation: PatchOperation): Resource {
  const after = changed(type, resource, operation)
  requireKept(type, resource, after, operation)
  return after
}

function changed(type: ResourceType, resource: Resource, operation: PatchOperation): Resource {
  const { target } = operation
  if (target.kind === 'schema') {
    const { [target.schema.id]: _removed, ...rest } = resource
    return rest
  }
  const path = isSimpleList(target.path.attribute) ? wholeOf(target.path) : target.path
  if (!path.attribute.multiValued) return patchSingle(type, resource, path, operation)
  const before = elementsAt(resource, path)
  const after =
    target.kind === 'elements'
      ? patchElements(type, before, path, target.filter, operation)
      : path.subAttribute
        ? patchEveryElement(type, before, path, operation)
        : patchList(type, before, path, operation)
  return withElements(resource, path, after)
}

/** `tags.value` means the values of `tags` themselves. */
const wholeOf = ({ subAttribute: _part, ...whole }: AttributePath): AttributePath => whole

function patchSingle(
  type: ResourceType,
  resource: Resource,
  path: AttributePath,
  operation: PatchOperation,
): Resource {
  const value = operation.op === 'remove' ? undefined : readValue(type, path, operation.value)
  if (isReference(path.attribute) && [undefined, 'value'].includes(path.subAttribute?.name)) {
    return patchReference(resource, path, value)
  }
  return withValue(resource, path, value)
}

/**
 * A reference is one thing: another `value` must not keep the `$ref` of the one before, and without a value nothing is
 * left of it.
 */
function patchReference(resource: Resource, path: AttributePath, value: unknown): Resource {
  const { subAttribute, ...whole } = path
  if (value === undefined) return withValue(resource, whole, undefined)
  const after = subAttribute ? { [subAttribute.name]: value } : (value as JsonObject)
  const before = valueAt(resource, whole)
  const isSame = isObject(before) && (after.value === undefined || before.value === after.value)
  return withValue(resource, whole, isSame ? { ...before, ...after } : after)
}
