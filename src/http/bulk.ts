import { randomUUID } from 'node:crypto'
import type { JsonObject } from '../scim/attribute.ts'
import {
  type BulkOperation,
  type BulkRequest,
  bulkResponse,
  planBulk,
  type ReadOperation,
  referencesOf,
  replaceReferences,
} from '../scim/bulk.ts'
import { invalidValue, notFound, ScimError } from '../scim/error.ts'
import { etagOf } from '../scim/etag.ts'
import { locationOf } from './present.ts'
import type { ResourceUseCases } from './routes/resources.ts'
import { type ErrorAnswer, scimErrorBody } from './scim-error.ts'

export interface BulkContext {
  readonly tenantId: number
  readonly base: string
  readonly requestId: string
  /** What a resource of one type may refer to comes before that type. */
  readonly resources: readonly ResourceUseCases[]
  /** Does all of the work, or none of it; may begin it anew. */
  readonly together: (work: (resources: readonly ResourceUseCases[]) => Promise<void>) => Promise<void>
  readonly answerOf: (error: unknown) => ErrorAnswer
}

/**
 * Runs the operations of a bulk request, each of which succeeds or fails by itself (RFC 7644 §3.7). Resources get their ids
 * beforehand, so that others may refer to them before they are there.
 */
export async function runBulk(context: BulkContext, request: BulkRequest): Promise<JsonObject> {
  const { operations, failOnErrors = Number.POSITIVE_INFINITY } = request
  const run = bulkRun(context, operations)
  const results = new Map<ReadOperation, JsonObject>()
  let errors = 0
  let away: ErrorAnswer | undefined
  for (const step of planBulk(operations)) {
    if (errors >= failOnErrors) break
    for (const { operation, error, success } of away ? [] : await run.step(step)) {
      const answer = error === undefined ? undefined : context.answerOf(error)
      results.set(operation, {
        ...run.describe(operation),
        ...(answer ? run.failure(answer, operation) : success),
      })
      if (answer) errors++
      if (answer?.status !== 503) continue
      // Nothing was done yet, so the whole request can be said to have failed, and be sent again.
      if (errors === results.size) throw error
      away = answer
    }
    for (const operation of step) {
      if (away && !results.has(operation)) {
        results.set(operation, { ...run.describe(operation), ...run.failure(away, operation) })
      }
    }
  }
  return bulkResponse(operations.flatMap((operation) => listed(results.get(operation))))
}

interface Outcome {
  readonly operation: ReadOperation
  readonly error?: unknown
  readonly success?: JsonObject
}

function bulkRun(context: BulkContext, operations: readonly ReadOperation[]) {
  const { tenantId, base, requestId, resources } = context
  const ids = new Map<string, string>(
    operations.flatMap(({ method, bulkId }) =>
      method === 'POST' && bulkId !== undefined ? [[bulkId, randomUUID()]] : [],
    ),
  )
  const failed = new Set<string>()

  const idOf = (bulkId: string): string => {
    const id = ids.get(bulkId)
    if (id === undefined) throw invalidValue(`no POST of this request has the bulkId '${bulkId}'`)
    if (failed.has(bulkId)) {
      throw new ScimError(409, undefined, `the operation with the bulkId '${bulkId}' failed`)
    }
    return id
  }
  const resolved = (operation: BulkOperation): BulkOperation => ({
    ...operation,
    id: replaceReferences(operation.id, idOf) as string | undefined,
    data: replaceReferences(operation.data, idOf),
  })

  async function perform(among: readonly ResourceUseCases[], sent: BulkOperation): Promise<JsonObject> {
    const useCases = useCasesFor(among, sent)
    const { method, id = '', data, version, bulkId } = resolved(sent)
    switch (method) {
      case 'POST': {
        const { id, ...created } = await useCases.create(tenantId, data, ids.get(bulkId ?? ''))
        return {
          location: locationOf(base, useCases.type, id),
          version: etagOf(created.version),
          status: '201',
        }
      }
      case 'PUT':
        return {
          version: etagOf((await useCases.replace(tenantId, id, data, version)).version),
          status: '200',
        }
      case 'PATCH': {
        const patched = await useCases.patch(tenantId, id, data, version)
        return { version: etagOf(patched.version), status: useCases.patchAnswersNoContent ? '204' : '200' }
      }
      case 'DELETE':
        await useCases.delete(tenantId, id, version)
        return { status: '204' }
    }
  }

  async function alone(operation: ReadOperation): Promise<Outcome> {
    try {
      if (!isRight(operation)) throw operation.fault
      return { operation, success: await perform(resources, operation) }
    } catch (error) {
      return { operation, error }
    }
  }

  /** RFC 7644 §3.7.1: a circle of references is tried, and is a conflict when it cannot be resolved. */
  async function circle(operations: readonly BulkOperation[]): Promise<Outcome[]> {
    const ordered = operations.toSorted((a, b) => rankOf(resources, a) - rankOf(resources, b))
    const done: Outcome[] = []
    try {
      for (const operation of ordered) {
        await useCasesFor(resources, operation).prepare(resolved(operation).data)
      }
      await context.together(async (transacting) => {
        done.length = 0
        for (const operation of ordered) {
          done.push({ operation, success: await perform(transacting, operation) })
        }
      })
      return done
    } catch (error) {
      const bulkIds = operations.map(({ bulkId }) => bulkId).join(', ')
      const conflict =
        error instanceof ScimError
          ? new ScimError(409, undefined, `the circle of ${bulkIds} cannot be resolved: ${error.message}`)
          : error
      return operations.map((operation) => ({ operation, error: conflict }))
    }
  }

  return {
    async step(step: readonly ReadOperation[]): Promise<Outcome[]> {
      const [first] = step
      const outcomes = first && step.length === 1 ? [await alone(first)] : await circle(step.filter(isRight))
      for (const { operation, error } of outcomes) {
        if (error !== undefined && operation.bulkId !== undefined) failed.add(operation.bulkId)
      }
      return outcomes
    },
    /** What an answer repeats of its operation; its location is known unless it was to be created. */
    describe(operation: ReadOperation): JsonObject {
      const { method, bulkId } = operation
      return {
        ...('id' in operation && operation.id !== undefined && locationPart(context, operation, ids)),
        method,
        ...(bulkId !== undefined && { bulkId }),
      }
    },
    /** Ids that the client has not seen are told by the bulkIds it knows. */
    failure(answer: ErrorAnswer, operation: ReadOperation): JsonObject {
      let { detail } = answer
      for (const bulkId of isRight(operation) ? referencesOf(operation) : []) {
        const id = ids.get(bulkId)
        if (id !== undefined) detail = detail.replaceAll(id, `bulkId:${bulkId}`)
      }
      return { status: String(answer.status), response: scimErrorBody({ ...answer, detail }, requestId) }
    },
  }
}

const listed = (result: JsonObject | undefined): JsonObject[] => (result ? [result] : [])

const isRight = (operation: ReadOperation): operation is BulkOperation => !('fault' in operation)

function useCasesFor(resources: readonly ResourceUseCases[], { endpoint }: BulkOperation): ResourceUseCases {
  const useCases = resources.find(({ type }) => type.endpoint === endpoint)
  if (!useCases) throw notFound(`nothing is at ${endpoint}`)
  return useCases
}

const rankOf = (resources: readonly ResourceUseCases[], { endpoint }: BulkOperation): number =>
  resources.findIndex(({ type }) => type.endpoint === endpoint)

function locationPart(
  { resources, base }: BulkContext,
  { endpoint, id }: BulkOperation,
  ids: ReadonlyMap<string, string>,
): JsonObject | undefined {
  const useCases = resources.find(({ type }) => type.endpoint === endpoint)
  const known = replaceReferences(id, (bulkId) => ids.get(bulkId))
  return useCases && { location: locationOf(base, useCases.type, String(known)) }
}
