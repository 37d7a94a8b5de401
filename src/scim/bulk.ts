import { isObject, type JsonObject, nameKey } from './attribute.ts'
import { readNames, schemaKeys } from './envelope.ts'
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
export type BulkMethod = (typeof methods)[number]

/** What an operation's answer repeats of it, whether or not the operation is right. */
interface Sent {
  readonly method: unknown
  readonly bulkId: string | undefined
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
  if (!schemaKeys(request.schemas).includes(nameKey(BULK_REQUEST))) {
    throw invalidSyntax(`schemas must contain '${BULK_REQUEST}'`)
  }
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

function readOperation(sent: unknown): ReadOperation {
  if (!isObject(sent)) throw invalidSyntax('an operation must be a JSON object')
  const operation = readNames(sent, 'an operation', ['method', 'bulkid', 'version', 'path', 'data'])
  const bulkId =
    typeof operation.bulkid === 'string' && operation.bulkid !== '' ? operation.bulkid : undefined
  try {
    const method = readMethod(operation.method)
    if (method === 'POST' && bulkId === undefined) throw invalidSyntax('a POST needs a bulkId')
    if (method !== 'DELETE' && operation.data === undefined) throw invalidSyntax(`a ${method} needs data`)
    return {
      method,
      bulkId,
      ...readPath(method, operation.path),
      version: readVersion(operation.version),
      data: operation.data,
    }
  } catch (fault) {
    if (!(fault instanceof ScimError)) throw fault
    return { method: operation.method, bulkId, fault }
  }
}

function readMethod(sent: unknown): BulkMethod {
  const method = methods.find((each) => typeof sent === 'string' && each === sent.toUpperCase())
  if (!method) throw invalidSyntax(`method must be one of ${methods.join(', ')}`)
  return method
}

function readPath(method: BulkMethod, sent: unknown): { endpoint: string; id: string | undefined } {
  const [, collection, id, ...more] = typeof sent === 'string' ? sent.replace(/\/$/, '').split('/') : []
  const isRight = method === 'POST' ? id === undefined : id !== undefined && id !== ''
  if (collection === undefined || !isRight || more.length > 0) {
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
 * The operations in an order in which each comes after those it refers to, and otherwise in that of the request. Those that
 * refer to each other in a circle are one step.
 */
export function planBulk(operations: readonly ReadOperation[]): ReadOperation[][] {
  const creators = new Map(
    operations.flatMap((operation): [string, ReadOperation][] =>
      operation.method === 'POST' && operation.bulkId !== undefined ? [[operation.bulkId, operation]] : [],
    ),
  )
  // Tarjan's algorithm: strongly connected components, those that are referred to first.
  const steps: ReadOperation[][] = []
  const numbers = new Map<ReadOperation, number>()
  const open: ReadOperation[] = []
  const visit = (operation: ReadOperation): number => {
    const number = numbers.size
    let lowest = number
    numbers.set(operation, number)
    open.push(operation)
    for (const bulkId of 'fault' in operation ? [] : referencesOf(operation)) {
      const creator = creators.get(bulkId)
      if (!creator) continue
      const known = numbers.get(creator)
      if (known === undefined) lowest = Math.min(lowest, visit(creator))
      else if (open.includes(creator)) lowest = Math.min(lowest, known)
    }
    if (lowest === number) steps.push(open.splice(open.indexOf(operation)))
    return lowest
  }
  for (const operation of operations) if (!numbers.has(operation)) visit(operation)
  return steps
}

export const bulkResponse = (results: readonly JsonObject[]): JsonObject => ({
  schemas: [BULK_RESPONSE],
  Operations: results,
})
