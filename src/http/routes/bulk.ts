import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BULK_LIMITS, payloadTooLarge, readBulkRequest } from '../../scim/bulk.ts'
import { callerOf } from '../authentication.ts'
import { type BulkContext, runBulk } from '../bulk.ts'
import type { BaseUrl } from '../present.ts'
import type { ErrorAnswer } from '../scim-error.ts'

interface BulkRouteOptions extends Pick<BulkContext, 'resources' | 'together' | 'isAway'> {
  readonly isEnding: () => boolean
  readonly baseUrl: BaseUrl
  readonly answerOf: (error: unknown, request: FastifyRequest) => ErrorAnswer
}

/** Entra, and most who wait, give up after 60 s: what was done must be told before. */
const PATIENCE_MS = 45_000

/** RFC 7644 §3.7. */
export function bulkRoute(app: FastifyInstance, options: BulkRouteOptions): void {
  const { resources, together, isAway, isEnding, baseUrl, answerOf } = options
  app.route({
    method: 'POST',
    url: '/Bulk',
    bodyLimit: BULK_LIMITS.maxPayloadSize,
    // RFC 7644 §3.7.4: the limit is named.
    errorHandler: (error) => {
      throw error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? payloadTooLarge() : error
    },
    handler: async (request, reply) =>
      runBulk(
        {
          caller: callerOf(request),
          base: baseUrl(request),
          requestId: request.id,
          resources,
          together,
          answerOf: (error) => answerOf(error, request),
          isAway,
          isOver: () => isEnding() || reply.elapsedTime > PATIENCE_MS || request.raw.socket.destroyed,
        },
        readBulkRequest(request.body),
      ),
  })
}
