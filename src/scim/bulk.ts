import { isObject, type JsonObject } from './attribute.ts'
import { readNames, requireSchema } from './envelope.ts'
import { invalidSyntax, invalidValue, ScimError } from './error.ts'

const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const BULK_RESPONSE = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse'

/** RFC 7644 §3.7.4; the payload in bytes. */
export const BULK_LIMITS = { maxOperations: 1000, maxPayloadSize: 1_048_576 } as const

export const payloadTooLarge = () =>
  new ScimError(
    413,
    undefined,
    `the size of the bulk operation exceeds the maxPayloadSize (${BULK_LIMITS.maxPayloadSize})`,
  )

const methods = ['POST', 'PUT', 'PATCH', 'DELETE'] as const
type BulkMethod = (typeof methods)[number]

/** What an operation's answer repeats of it, whether or not the operation is right. */
interface Sent {
  readonly method: unknown
  readonly bulkId: string | undefined
  readonly endpoint?: string
  readonly id?: string | undefined
}

export interface BulkOperation extends Sent {
  readonly method: BulkMethod
  /** `/Users`; compared with the endpoints of the resource types. */
  readonly endpoint: string
  /** Undefined for POST; may be a reference. */
  readonly id: string | undefined
  /** As `If-Match`. */
  readonly version: string | undefined
  readonly data: unknown
}

export type ReadOperation = BulkOperation | (Sent & { readonly fault: ScimError })

export interface BulkRequest {
  /** After so many errors nothing more is done; undefined for "go on". */
  readonly failOnErrors: number | undefined
  readonly operations: readonly ReadOperation[]
}

/** The body of a POST to /Bulk (RFC 7644 §3.7). A fault of one operation is that operation's, and not the request's. */
export function readBulkRequest(body: unknown): BulkRequest {
  const request = readNames(body, 'the body', ['schemas', 'operations', 'failonerrors'])
  requireSchema(request.schemas, BULK_REQUEST)
  const { operations } = request
  if (!Array.isArray(operations) || operations.length === 0) {
    throw invalidSyntax('Operations must be a non-empty array')
  }
  const { maxOperations } = BULK_LIMITS
  if (operations.length > maxOperations) {
    const detail = `the bulk request has ${operations.length} operations, more than the maxOperations (${maxOperations})`
    throw new ScimError(413, undefined, detail)
  }
  const read = operations.map(readOperation)
  requireDistinct(read.flatMap(({ bulkId }) => bulkId ?? []))
  return { failOnErrors: readFailOnErrors(request.failonerrors), operations: read }
}

function readFailOnErrors(sent: unknown): number | undefined {
  if (sent === undefined || sent === null) return undefined
  if (typeof sent !== 'number' || !Number.isInteger(sent) || sent < 1) {
    throw invalidValue('failOnErrors must be an integer of 1 or more')
  }
  return sent
}

function requireDistinct(bulkIds: readonly string[]): void {
  const seen = new Set<string>()
  for (const bulkId of bulkIds) {
    if (seen.has(bulkId)) throw invalidValue(`the bulkId '${bulkId}' is given to two operations`)
    seen.add(bulkId)
  }
}

/** What is known of an operation when a fault is found is kept, because its answer repeats it. */
function readOperation(sent: unknown): ReadOperation {
  let known: Sent = { method: undefined, bulkId: undefined }
  try {
    const operation = readNames(sent, 'an operation', ['method', 'bulkid', 'version', 'path', 'data'])
    const { method: said, bulkid, data } = operation
    const bulkId = typeof bulkid === 'string' && bulkid !== '' ? bulkid : undefined
    known = { method: said, bulkId }
    const method = readMethod(said)
    const place = readPath(method, operation.path)
    known = { method, bulkId, ...place }
    if (method === 'POST' && bulkId === undefined) throw invalidSyntax('a POST needs a bulkId')
    if (bulkId !== undefined && /["/]/.test(bulkId)) throw invalidSyntax(`a bulkId cannot contain '"' or '/'`)
    if (method !== 'DELETE' && data === undefined) throw invalidSyntax(`a ${method} needs data`)
    return { method, bulkId, ...place, version: readVersion(operation.version), data }
  } catch (fault) {
    if (!(fault instanceof ScimError)) throw fault
    return { ...known, fault }
  }
}

function readMethod(sent: unknown): BulkMethod {
  const method = methods.find((each) => typeof sent === 'string' && each === sent.toUpperCase())
  if (!method) throw invalidSyntax(`method must be one of ${methods.join(', ')}`)
  return method
}

function readPath(method: BulkMethod, sent: unknown): { endpoint: string; id: string | undefined } {
  const [root, collection, id, ...more] = typeof sent === 'string' ? sent.replace(/\/$/, '').split('/') : []
  const isRight = method === 'POST' ? id === undefined : id !== undefined && id !== ''
  if (root !== '' || collection === undefined || !isRight || more.length > 0) {
    throw invalidSyntax(
      `path must be '/Users'${method === 'POST' ? '' : " and '/' and an id"}, or with /Groups`,
    )
  }
  return { endpoint: `/${collection}`, id }
}

function readVersion(sent: unknown): string | undefined {
  if (sent === undefined || sent === null || typeof sent === 'string') return sent ?? undefined
  throw invalidSyntax('version must be a string')
}

/** RFC 7644 §3.7.2: what another operation creates, as a value, at the end of a URI, or in the filter of a PATCH path. */
const REFERENCE = /(?<=^|\/|")bulkId:([^"/]+)(?="|$)/g

/** A copy in which every reference is replaced; what `replace` gives undefined for stays as it is. */
export function replaceReferences(value: unknown, replace: (bulkId: string) => string | undefined): unknown {
  if (typeof value === 'string') {
    return value.includes('bulkId:')
      ? value.replaceAll(REFERENCE, (reference, bulkId) => replace(bulkId) ?? reference)
      : value
  }
  if (Array.isArray(value)) return value.map((each) => replaceReferences(each, replace))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, replaceReferences(each, replace)]),
  )
}

/** The bulkIds that an operation refers to. */
export function referencesOf({ id, data }: BulkOperation): Set<string> {
  const found = new Set<string>()
  replaceReferences([id, data], (bulkId) => {
    found.add(bulkId)
    return undefined
  })
  return found
}

/**
 * The operations in the order in which they are to run: each after those it refers to and after earlier ones on the same
 * resource, and otherwise in that of the request. Those that refer to each other in a circle are one step.
 */
export function planBulk(operations: readonly ReadOperation[]): ReadOperation[][] {
  const needs = new Map(operations.map((operation) => [operation, new Set<ReadOperation>()]))
  const creators = new Map(
    operations.flatMap((operation): [string, ReadOperation][] =>
      operation.method === 'POST' && operation.bulkId !== undefined ? [[operation.bulkId, operation]] : [],
    ),
  )
  const latest = new Map<string, ReadOperation>()
  for (const operation of operations) {
    if ('fault' in operation) continue
    const { endpoint, id } = operation
    const resource = JSON.stringify([endpoint, id])
    const before = id === undefined ? undefined : latest.get(resource)
    const referred = [...referencesOf(operation)].map((bulkId) => creators.get(bulkId))
    for (const need of [before, ...referred]) if (need) needs.get(operation)?.add(need)
    if (id !== undefined) latest.set(resource, operation)
  }
  const steps = circlesOf(operations, needs)
  const ordered: ReadOperation[][] = []
  const done = new Set<ReadOperation>()
  const isReady = (step: readonly ReadOperation[]) =>
    step.every((operation) =>
      [...(needs.get(operation) ?? [])].every((need) => done.has(need) || step.includes(need)),
    )
  while (steps.length > 0) {
    // Without circles among the steps there is always one that waits for nothing.
    const [step = []] = steps.splice(steps.findIndex(isReady), 1)
    for (const operation of step) done.add(operation)
    ordered.push(step)
  }
  return ordered
}

/** Groups the operations that need each other, by Tarjan's algorithm; in the order of their first ones in the request. */
function circlesOf(
  operations: readonly ReadOperation[],
  needs: ReadonlyMap<ReadOperation, ReadonlySet<ReadOperation>>,
): ReadOperation[][] {
  const place = new Map(operations.map((operation, index) => [operation, index]))
  const circles: ReadOperation[][] = []
  const numbers = new Map<ReadOperation, number>()
  const open: ReadOperation[] = []
  const visit = (operation: ReadOperation): number => {
    const number = numbers.size
    let lowest = number
    numbers.set(operation, number)
    open.push(operation)
    for (const need of needs.get(operation) ?? []) {
      const known = numbers.get(need)
      if (known === undefined) lowest = Math.min(lowest, visit(need))
      else if (open.includes(need)) lowest = Math.min(lowest, known)
    }
    if (lowest === number) circles.push(open.splice(open.indexOf(operation)))
    return lowest
  }
  for (const operation of operations) if (!numbers.has(operation)) visit(operation)
  const firstOf = (circle: readonly ReadOperation[]) =>
    Math.min(...circle.map((each) => place.get(each) ?? 0))
  return circles.sort((a, b) => firstOf(a) - firstOf(b))
}

export const bulkResponse = (results: readonly JsonObject[]): JsonObject => ({
  schemas: [BULK_RESPONSE],
  Operations: results,
})
