import type { Operation } from './dialects.ts'
import { addressOf, nameOf, type PersonKey, people } from './flows.ts'

const ENTERPRISE_USER = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

/** A user as Entra creates it by its default mappings, but with the object id as `externalId`. */
export const newUser = (person: PersonKey, objectId: string): object => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', ENTERPRISE_USER],
  externalId: objectId,
  userName: addressOf(person),
  active: true,
  displayName: nameOf(person),
  emails: [{ primary: true, type: 'work', value: addressOf(person) }],
  meta: { resourceType: 'User' },
  name: {
    formatted: nameOf(person),
    familyName: people[person].familyName,
    givenName: people[person].givenName,
  },
  roles: [],
  [ENTERPRISE_USER]: {
    department: people[person].department,
    employeeNumber: people[person].employeeNumber,
  },
})

/** Without members: Entra adds them afterwards. */
export const newGroup = (displayName: string, objectId: string): object => ({
  schemas: [
    'urn:ietf:params:scim:schemas:core:2.0:Group',
    'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group',
  ],
  externalId: objectId,
  displayName,
  meta: { resourceType: 'Group' },
})

export const patch = (operations: readonly Operation[]): object => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: operations,
})
