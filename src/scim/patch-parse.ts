import { type Assignment, assignments, assignmentsTo, schemaAssignments } from './assignment.ts'
import { type AttributePath, isObject, nameKey, type ResourceType } from './attribute.ts'
import { isUnassigned } from './entra.ts'
import { readNames, requireSchema } from './envelope.ts'
import { invalidPath, invalidSyntax, invalidValue, mutability, noTarget, tooMany } from './error.ts'
import { type PatchPath, parsePatchPath } from './patch-path.ts'
import { printAttributePath } from './path.ts'
import { serverAttributes } from './schemas/resource.ts'
import { isReadOnly } from './value.ts'

const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
const MAX_OPERATIONS = 1000

/** One operation on one target; the value is still as the client sent it. */
export type PatchOperation =
  /** Of an extension as a whole only where it becomes unassigned. */
  | { readonly op: 'add' | 'replace'; readonly target: PatchPath; readonly value: unknown }
  | { readonly op: 'remove'; readonly target: PatchPath; readonly value?: unknown }

/**
 * The body of a PATCH (RFC 7644 §3.5.2). An operation without a path, on a schema's URN or on a single-valued complex
 * attribute becomes one operation for each attribute that its value names.
 */
export function parsePatch(type: ResourceType, body: unknown): PatchOperation[] {
  const envelope = readNames(body, 'the body', ['schemas', 'operations'])
  requireSchema(envelope.schemas, PATCH_OP)
  const { operations } = envelope
  if (!Array.isArray(operations) || operations.length === 0) {
    throw invalidSyntax('Operations must be a non-empty array')
  }
  if (operations.length > MAX_OPERATIONS) throw tooMany(`more than ${MAX_OPERATIONS} operations`)
  return operations.flatMap((operation) => parseOperation(type, operation)).filter(isKept)
}

function parseOperation(type: ResourceType, sent: unknown): PatchOperation[] {
  const operation = readNames(sent, 'an operation', ['op', 'path', 'value'])
  const op = typeof operation.op === 'string' ? operation.op.toLowerCase() : operation.op
  const target = parseTarget(type, operation.path)
  switch (op) {
    case 'remove':
      return [parseRemove(type, target, operation.value)]
    case 'add':
    case 'replace':
      if (operation.value === undefined) throw invalidValue(`${op} needs a value`)
      return parseUpdate(type, target, operation.value).map((update) => ({ op, ...update }))
    default:
      throw invalidSyntax(`op must be 'add', 'replace' or 'remove'`)
  }
}

function parseTarget(type: ResourceType, path: unknown): PatchPath | undefined {
  if (path === undefined || path === null || path === '') return undefined
  if (typeof path !== 'string') throw invalidPath('path must be a string')
  const target = parsePatchPath(type, path)
  if (target.kind !== 'schema') requireWritable(target.path)
  return target
}

function parseRemove(type: ResourceType, target: PatchPath | undefined, value: unknown): PatchOperation {
  if (!target) throw noTarget('remove needs a path')
  if (target.kind === 'schema' && target.schema === type.schema) {
    throw mutability(`the attributes of ${type.schema.id} cannot be removed as a whole`)
  }
  return { op: 'remove', target, value }
}

type Update = { readonly target: PatchPath; readonly value: unknown }

function parseUpdate(type: ResourceType, target: PatchPath | undefined, value: unknown): Update[] {
  if (!target) return pathlessUpdates(type, value)
  switch (target.kind) {
    case 'elements':
      return [{ target, value }]
    case 'schema':
      if (target.schema !== type.schema && isUnassigned(value)) return [{ target, value }]
      return schemaAssignments(type, target.schema, value).flatMap(updateOf)
    case 'attribute':
      return assignmentsTo(type, target.path, value).flatMap(updateOf)
  }
}

function pathlessUpdates(type: ResourceType, value: unknown): Update[] {
  if (!isObject(value)) throw invalidValue('an operation without a path needs an object as its value')
  return Object.entries(value).flatMap(([name, each]): Update[] => {
    if (name.includes('[')) return parseUpdate(type, parseTarget(type, name), each)
    const schema = isUnassigned(each) ? type.schemas.get(nameKey(name)) : undefined
    if (schema && schema !== type.schema) return [{ target: { kind: 'schema', schema }, value: each }]
    // Okta repeats the id in the value (fixture patch-pathless-with-id); what the server says itself is not changed by it.
    return assignments(type, { [name]: each })
      .filter(isNotServerSaid)
      .flatMap(updateOf)
  })
}

const isNotServerSaid = ({ path }: Assignment): boolean => !serverAttributes.includes(path.attribute)

/** Read-only parts of a complex value are passed over, as in a POST; a read-only target is a fault. */
function updateOf({ path, sent }: Assignment): Update[] {
  if (path.subAttribute && isReadOnly(path) && path.attribute.mutability !== 'readOnly') return []
  requireWritable(path)
  return [{ target: { kind: 'attribute', path }, value: sent }]
}

function requireWritable(path: AttributePath): void {
  if (isReadOnly(path)) throw mutability(`${printAttributePath(path)} is read-only`)
}

/** A password is taken and not kept, as in a POST. */
const isKept = ({ target }: PatchOperation): boolean =>
  target.kind === 'schema' || target.path.attribute.returned !== 'never'
