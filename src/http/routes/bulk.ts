import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BULK_LIMITS, payloadTooLarge, readBulkRequest } from '../../scim/bulk.ts'
import { principalOf } from '../authentication.ts'
import { type BulkContext, runBulk } from '../bulk.ts'
import type { BaseUrl } from '../present.ts'
import type { ErrorAnswer } from '../scim-error.ts'

export interface BulkRouteOptions extends Pick<BulkContext, 'resources' | 'together'> {
  readonly baseUrl: BaseUrl
  readonly answerOf: (error: unknown, request: FastifyRequest) => ErrorAnswer
}

/** RFC 7644 §3.7. */
export function bulkRoute(app: FastifyInstance, options: BulkRouteOptions): void {
  const { resources, together, baseUrl, answerOf } = options
  app.route({
    method: 'POST',
    url: '/Bulk',
    bodyLimit: BULK_LIMITS.maxPayloadSize,
    // RFC 7644 §3.7.4: the limit is named.
    errorHandler: (error) => {
      throw error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? payloadTooLarge() : error
    },
    handler: async (request) =>
      runBulk(
        {
          tenantId: principalOf(request).tenantId,
          base: baseUrl(request),
          requestId: request.id,
          resources,
          together,
          answerOf: (error) => answerOf(error, request),
        },
        readBulkRequest(request.body),
      ),
  })
}
