import { type Static, Type } from '@sinclair/typebox'

const name = Type.String({ maxLength: 256 })

/** The contract's `UserInput`. Light on the e-mail's form: one @ with something on both sides. */
export const UserInput = Type.Object(
  {
    email: Type.String({ pattern: '^[^\\s@]+@[^\\s@]+$', maxLength: 320 }),
    firstName: Type.Optional(name),
    lastName: Type.Optional(name),
    displayName: Type.Optional(name),
    externalId: Type.Optional(name),
    enabled: Type.Optional(Type.Boolean()),
    roles: Type.Array(Type.String(), { minItems: 1, uniqueItems: true }),
  },
  { additionalProperties: false },
)
export type UserInput = Static<typeof UserInput>

/** What a person edits by hand: any of the fields. */
export const UserEdit = Type.Partial(UserInput, { additionalProperties: false })
export type UserEdit = Static<typeof UserEdit>

export type User = UserInput & { id: string; enabled: boolean; createdAt: string; updatedAt: string }

export type Role = { id: string; name: string; description?: string }

/** The one status that the contract gives each code. */
export const statusOfCode = {
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  user_exists: 409,
  precondition_failed: 412,
  role_unknown: 422,
  invalid: 422,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
} as const

export type ErrorCode = keyof typeof statusOfCode

export type ErrorBody = { error: { code: ErrorCode; message: string; requestId: string } }

export function errorBody(code: ErrorCode, message: string, requestId: string): ErrorBody {
  return { error: { code, message, requestId } }
}

/** A request that the contract's rules refuse. */
export class Refusal extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string) {
    super(message)
    this.name = 'Refusal'
    this.code = code
  }
}
