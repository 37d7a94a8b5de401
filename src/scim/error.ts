/** RFC 7644 §3.12, Table 9, and the three that RFC 9865 §2.4 adds. */
export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue'
  | 'invalidVers'
  | 'sensitive'
  | 'invalidCursor'
  | 'expiredCursor'
  | 'invalidCount'

/** A fault of the request, to be answered with a SCIM error. The message is the `detail` that the client sees. */
export class ScimError extends Error {
  readonly status: number
  readonly scimType: ScimType | undefined

  constructor(status: number, scimType: ScimType | undefined, detail: string, options?: { cause?: unknown }) {
    super(detail, options)
    this.name = 'ScimError'
    this.status = status
    this.scimType = scimType
  }
}

type ErrorFactory = (detail: string, options?: { cause?: unknown }) => ScimError

const factory =
  (status: number, scimType: ScimType | undefined): ErrorFactory =>
  (detail, options) =>
    new ScimError(status, scimType, detail, options)

export const invalidValue = factory(400, 'invalidValue')
export const invalidPath = factory(400, 'invalidPath')
export const invalidSyntax = factory(400, 'invalidSyntax')
export const invalidFilter = factory(400, 'invalidFilter')
export const noTarget = factory(400, 'noTarget')
export const mutability = factory(400, 'mutability')
export const tooMany = factory(400, 'tooMany')
/** RFC 7644 §3.3: 409, although RFC 7643 §7 speaks of 400. */
export const uniqueness = factory(409, 'uniqueness')
export const invalidCursor = factory(400, 'invalidCursor')
export const expiredCursor = factory(400, 'expiredCursor')
export const invalidCount = factory(400, 'invalidCount')
export const notFound = factory(404, undefined)
export const preconditionFailed = factory(412, undefined)

export interface ErrorBody {
  readonly schemas: readonly [string]
  /** A string, not a number: RFC 7644 §3.12. */
  readonly status: string
  readonly scimType?: ScimType
  readonly detail: string
}

export function errorBody(error: {
  readonly status: number
  readonly scimType?: ScimType | undefined
  readonly detail: string
}): ErrorBody {
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: String(error.status),
    ...(error.scimType && { scimType: error.scimType }),
    detail: error.detail,
  }
}
