import { type Static, Type } from '@sinclair/typebox'

/** What Campaign Manager answers. Members that the contract does not name are tolerated, and dropped on the way in. */
export const UserMessage = Type.Object({
  id: Type.String({ minLength: 1 }),
  email: Type.String({ minLength: 1 }),
  firstName: Type.Optional(Type.String()),
  lastName: Type.Optional(Type.String()),
  displayName: Type.Optional(Type.String()),
  externalId: Type.Optional(Type.String()),
  enabled: Type.Boolean(),
  roles: Type.Array(Type.String()),
})
export type UserMessage = Static<typeof UserMessage>

export const RoleMessage = Type.Object({ id: Type.String(), name: Type.String({ minLength: 1 }) })

export const UserPage = Type.Object({
  users: Type.Array(UserMessage),
  nextPageToken: Type.Optional(Type.String()),
})

export const RolePage = Type.Object({
  roles: Type.Array(RoleMessage),
  nextPageToken: Type.Optional(Type.String()),
})

export const ErrorMessage = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    requestId: Type.Optional(Type.String()),
  }),
})

export type Role = { id: string; name: string }

export type Account = {
  id: string
  email: string
  firstName?: string
  lastName?: string
  displayName?: string
  externalId?: string
  enabled: boolean
  roles: string[]
}

/** The whole record, as a write gives it: what is left out is emptied. */
export type AccountInput = Omit<Account, 'id'>

/** `etag` names the version that was seen; absent when Campaign Manager named none. */
export type ObservedAccount = { account: Account; etag: string | undefined }

export function accountOf(user: UserMessage): Account {
  return { id: user.id, ...inputOf(user) }
}

/** Only the fields of the contract's UserInput: Campaign Manager refuses any other. */
export function inputOf(source: AccountInput): AccountInput {
  return {
    email: source.email,
    ...(source.firstName !== undefined && { firstName: source.firstName }),
    ...(source.lastName !== undefined && { lastName: source.lastName }),
    ...(source.displayName !== undefined && { displayName: source.displayName }),
    ...(source.externalId !== undefined && { externalId: source.externalId }),
    enabled: source.enabled,
    roles: [...source.roles],
  }
}

/** An address is the same in any case. */
export const isSameAddress = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()
