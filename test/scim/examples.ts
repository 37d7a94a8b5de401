import { readFileSync } from 'node:fs'
import type { JsonObject } from '../../src/scim/attribute.ts'
import type { ScimType } from '../../src/scim/error.ts'
import { createResourceTypes } from '../../src/scim/resource-types.ts'

export const { user: userType, group: groupType } = createResourceTypes([])

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group'
export const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'

/** An example payload of the RFCs. */
export const rfc = (name: string): JsonObject =>
  JSON.parse(readFileSync(new URL(`../fixtures/rfc/${name}.json`, import.meta.url), 'utf8')) as JsonObject

/** What a refusal must look like, for t.throws. */
export const refusal = (scimType: ScimType, message: string | RegExp) => ({
  name: 'ScimError',
  status: 400,
  scimType,
  message,
})
