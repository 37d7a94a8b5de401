import type { Resource } from '../scim/attribute.ts'

/** What Campaign Manager keeps of a person, roles and enablement aside. */
export interface AccountFields {
  readonly email: string
  readonly firstName: string | undefined
  readonly lastName: string | undefined
  readonly displayName: string | undefined
}

/** Campaign Manager's own limits (campaign-manager-api.yaml, UserInput). */
const MAX_NAME = 256
const MAX_EMAIL = 320
const MAX_EXTERNAL_ID = 256

/** The fields that a SCIM user gives an account. `email` is undefined when the user has no address. */
export function accountFields(
  user: Resource,
): Omit<AccountFields, 'email'> & { readonly email: string | undefined } {
  const name = isObject(user.name) ? user.name : {}
  return {
    email: emailAddress(user),
    firstName: shortened(name.givenName),
    lastName: shortened(name.familyName),
    displayName: shortened(user.displayName) ?? shortened(name.formatted),
  }
}

/** The identity that an account carries: Entra's object id, else the SCIM id, which is ours and never empty. */
export function accountExternalId(user: Resource | undefined, userId: string): string {
  const externalId = user?.externalId
  return typeof externalId === 'string' && externalId !== '' && [...externalId].length <= MAX_EXTERNAL_ID
    ? externalId
    : userId
}

/** The primary e-mail, else the one of type work, else the first, else userName when it is an address. */
function emailAddress(user: Resource): string | undefined {
  const entries = (Array.isArray(user.emails) ? user.emails : []).filter(isObject)
  const candidates = [
    entries.find((entry) => entry.primary === true),
    entries.find((entry) => typeof entry.type === 'string' && entry.type.toLowerCase() === 'work'),
    entries[0],
  ]
  const chosen = candidates.find((entry) => typeof entry?.value === 'string' && entry.value !== '')
  return [chosen?.value, user.userName].find(isAddress)
}

const isAddress = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_EMAIL && /^[^\s@]+@[^\s@]+$/.test(value)

/** A name too long for Campaign Manager is cut: it must not stand in the way of a role. */
function shortened(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  return [...value].slice(0, MAX_NAME).join('')
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
