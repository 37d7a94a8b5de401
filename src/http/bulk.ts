import { randomUUID } from 'node:crypto'
import type { Caller } from '../provisioning/context.ts'
import type { JsonObject } from '../scim/attribute.ts'
import {
  type BulkOperation,
  type BulkRequest,
  bulkResponse,
  planBulk,
  type ReadOperation,
  replaceReferences,
} from '../scim/bulk.ts'
import { invalidValue, notFound, ScimError } from '../scim/error.ts'
import { etagOf } from '../scim/etag.ts'
import { locationOf } from './present.ts'
import type { ResourceUseCases } from './resource-use-cases.ts'
import { type ErrorAnswer, scimErrorBody } from './scim-error.ts'

export interface BulkContext {
  readonly caller: Caller
  readonly base: string
  readonly requestId: string
  /** What a resource of one type may refer to comes before that type. */
  readonly resources: readonly ResourceUseCases[]
  /** Does all of the work, or none of it; may begin it anew. */
  readonly together: (work: (resources: readonly ResourceUseCases[]) => Promise<void>) => Promise<void>
  readonly answerOf: (error: unknown) => ErrorAnswer
  /** Whether the error says that the store cannot serve, so that nothing more need be tried. */
  readonly isAway: (error: unknown) => boolean
  /** Whether the time for an answer is over, or nobody waits for it any more. */
  readonly isOver: () => boolean
}

/**
 * Runs the operations of a bulk request, each of which succeeds or fails by itself (RFC 7644 §3.7). Resources get their ids
 * beforehand, so that others may refer to them before they are there. Once the store or the time is gone, the operations left
 * are not tried, and their answer says so.
 */
export async function runBulk(context: BulkContext, request: BulkRequest): Promise<JsonObject> {
  const { operations, failOnErrors = Number.POSITIVE_INFINITY } = request
  const run = bulkRun(context, operations)
  const results = new Map<ReadOperation, JsonObject>()
  let errors = 0
  let halt: { readonly error: unknown } | undefined
  for (const step of planBulk(operations)) {
    if (errors >= failOnErrors) break
    if (context.isOver()) halt ??= { error: timeIsUp() }
    const outcomes: Outcome[] = halt ? notTried(step, halt.error) : await run.step(step)
    for (const outcome of outcomes) {
      results.set(outcome.operation, run.describe(outcome))
      if (!('error' in outcome)) continue
      errors++
      if (!context.isAway(outcome.error)) continue
      // Nothing is known to have been done, so that the request as a whole can be said to have failed, and be sent again.
      if (errors === results.size) throw outcome.error
      halt = { error: outcome.error }
    }
  }
  return bulkResponse(operations.flatMap((operation) => results.get(operation) ?? []) as JsonObject[])
}

const notTried = (step: readonly ReadOperation[], error: unknown): Outcome[] =>
  step.map((operation) => ({ operation, error }))

const timeIsUp = () => new ScimError(503, undefined, 'no time was left for this operation; send it again')

type Outcome =
  | { readonly operation: ReadOperation; readonly success: JsonObject }
  | { readonly operation: ReadOperation; readonly error: unknown }

function bulkRun(context: BulkContext, operations: readonly ReadOperation[]) {
  const { caller, base, requestId, resources } = context
  const ids = new Map<string, string>(
    operations.flatMap(({ method, bulkId }) =>
      method === 'POST' && bulkId !== undefined ? [[bulkId, randomUUID()]] : [],
    ),
  )
  const bulkIds = new Map([...ids].map(([bulkId, id]) => [id, bulkId]))
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
        const { id, ...created } = await useCases.create(caller, data, ids.get(bulkId ?? ''))
        return {
          location: locationOf(base, useCases.type, id),
          version: etagOf(created.version),
          status: '201',
        }
      }
      case 'PUT':
        return {
          version: etagOf((await useCases.replace(caller, id, data, version)).version),
          status: '200',
        }
      case 'PATCH': {
        const patched = await useCases.patch(caller, id, data, version)
        return { version: etagOf(patched.version), status: useCases.patchAnswersNoContent ? '204' : '200' }
      }
      case 'DELETE':
        await useCases.delete(caller, id, version)
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
        await useCasesFor(resources, operation).prepare(caller.tenantId, resolved(operation).data)
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

  /** Ids that the client has not seen are told by the bulkIds it knows. */
  function failure(error: unknown): JsonObject {
    const answer = context.answerOf(error)
    let { detail } = answer
    for (const id of new Set(detail.match(UUID))) {
      const bulkId = bulkIds.get(id)
      if (bulkId !== undefined) detail = detail.replaceAll(id, `bulkId:${bulkId}`)
    }
    return { status: String(answer.status), response: scimErrorBody({ ...answer, detail }, requestId) }
  }

  return {
    async step(step: readonly ReadOperation[]): Promise<Outcome[]> {
      const [first] = step
      const outcomes = first && step.length === 1 ? [await alone(first)] : await circle(step.filter(isRight))
      for (const outcome of outcomes) {
        const { bulkId } = outcome.operation
        if ('error' in outcome && bulkId !== undefined) failed.add(bulkId)
      }
      return outcomes
    },
    /** The answer to one operation; its location is known unless it was to be created. */
    describe(outcome: Outcome): JsonObject {
      const { operation } = outcome
      const { method, bulkId } = operation
      return {
        ...locationPart(context, operation, ids),
        method,
        ...(bulkId !== undefined && { bulkId }),
        ...('error' in outcome ? failure(outcome.error) : outcome.success),
      }
    },
  }
}

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
  { endpoint, id }: ReadOperation,
  ids: ReadonlyMap<string, string>,
): JsonObject {
  const useCases = resources.find(({ type }) => type.endpoint === endpoint)
  const known = replaceReferences(id, (bulkId) => ids.get(bulkId))
  if (!useCases || typeof known !== 'string' || known.startsWith('bulkId:')) return {}
  return { location: locationOf(base, useCases.type, known) }
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
