import { type AttributePath, isObject, type Resource, type ResourceType } from './attribute.ts'
import { requiredMissing } from './complete.ts'
import { isUnassigned } from './entra.ts'
import { mutability } from './error.ts'
import type { PatchOperation } from './patch-parse.ts'
import { printAttributePath } from './path.ts'
import { valueAt } from './place.ts'

/** RFC 7644 §3.5.2.2: what is required, and has a value, may not lose it by an operation on it. */
export function requireKept(
  type: ResourceType,
  before: Resource,
  after: Resource,
  operation: PatchOperation,
): void {
  const lost = lostBy(type, before, after, operation)
  if (lost === undefined) return
  if (operation.op === 'remove') throw mutability(`${lost} is required and cannot be removed`)
  throw requiredMissing(lost)
}

function lostBy(
  type: ResourceType,
  before: Resource,
  after: Resource,
  { op, target, value }: PatchOperation,
): string | undefined {
  if (target.kind !== 'schema') {
    const { subAttribute, ...whole } = target.path
    const isGone = valueAt(before, whole) !== undefined && valueAt(after, whole) === undefined
    if (whole.attribute.required && isGone) return printAttributePath(whole)
    const clears = op === 'remove' || isUnassigned(value)
    if (subAttribute?.required && clears && countOf(after, target.path) < countOf(before, target.path)) {
      return printAttributePath(target.path)
    }
  }
  const urn = target.kind === 'schema' ? target.schema.id : target.path.schema
  const isRequired = type.extensions.some(({ schema, required }) => required && schema.id === urn)
  return isRequired && before[urn] !== undefined && after[urn] === undefined ? urn : undefined
}

/** How many values of the attribute have that part. */
function countOf(resource: Resource, { subAttribute, ...whole }: AttributePath): number {
  const name = subAttribute?.name ?? ''
  return [valueAt(resource, whole)].flat().filter((each) => isObject(each) && each[name] !== undefined).length
}
