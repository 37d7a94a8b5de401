import type { JsonObject, ResourceType } from '../scim/attribute.ts'
import {
  listResponse,
  resourceTypeResources,
  schemaResources,
  serviceProviderConfig,
} from '../scim/discovery.ts'
import { renderResource } from '../scim/resource.ts'
import type { ResourceTypes } from '../scim/resource-types.ts'
import { locationOf, scimBase } from './present.ts'

const MESSAGE = 'urn:ietf:params:scim:api:messages:2.0'
const CORE = 'urn:ietf:params:scim:schemas:core:2.0'
const USER_ID = '2819c223-7f76-453a-919d-413861904646'
const GROUP_ID = 'e9e30dba-f08f-4109-8486-d5c6a331660a'

/** RFC 7643 §8.1's person, as Entra would send her. */
const person = {
  externalId: '701984c9-77b0-4a8c-b4ea-0a0b0cd0b0d1',
  userName: 'bjensen@example.com',
  active: true,
  displayName: 'Barbara Jensen',
  name: { familyName: 'Jensen', givenName: 'Barbara' },
  emails: [{ type: 'work', primary: true, value: 'bjensen@example.com' }],
}
const role = { externalId: '0a3f5f4e-2b6d-4c3a-8a0e-6f1d2c3b4a59', displayName: 'Campaign Editor' }

export type Examples = ReturnType<typeof openApiExamples>
export type ExampleName = keyof Examples

/**
 * Requests that the service accepts and answers that it gives, made by the code that answers; without SCIM's `$ref`, which
 * readers of OpenAPI take for a reference of its own.
 */
export function openApiExamples({ user, group }: ResourceTypes, root: string) {
  const base = scimBase(root)
  const rendered = (type: ResourceType, id: string, resource: JsonObject) =>
    renderResource(type, {
      id,
      resource,
      created: '2026-01-23T04:56:22.000Z',
      lastModified: '2026-01-23T04:56:22.000Z',
      version: 'W/"1"',
      location: locationOf(base, type, id),
    })
  const aUser = rendered(user, USER_ID, person)
  const aGroup = rendered(group, GROUP_ID, { ...role, members: [{ value: USER_ID, type: 'User' }] })
  const page = (resources: readonly JsonObject[]) =>
    listResponse(resources, { totalResults: resources.length, startIndex: 1 })
  const types = resourceTypeResources({ user, group }, base)
  const schemas = schemaResources({ user, group }, base)

  return {
    newUser: { schemas: [`${CORE}:User`], ...person },
    user: aUser,
    changedUser: { schemas: [`${CORE}:User`], ...person, displayName: 'Babs Jensen' },
    userPatch: patch({ op: 'Replace', path: 'displayName', value: 'Babs Jensen' }),
    users: page([aUser]),
    newGroup: { schemas: [`${CORE}:Group`], ...role },
    group: aGroup,
    changedGroup: { schemas: [`${CORE}:Group`], ...role, members: [{ value: USER_ID }] },
    groupPatch: patch({ op: 'Add', path: 'members', value: [{ value: USER_ID }] }),
    groups: page([aGroup]),
    resources: page([aUser, aGroup]),
    search: {
      schemas: [`${MESSAGE}:SearchRequest`],
      filter: 'externalId eq "701984c9-77b0-4a8c-b4ea-0a0b0cd0b0d1"',
      attributes: ['displayName'],
      count: 10,
    },
    bulk: {
      schemas: [`${MESSAGE}:BulkRequest`],
      failOnErrors: 1,
      Operations: [
        {
          method: 'POST',
          path: '/Users',
          bulkId: 'ann',
          data: {
            schemas: [`${CORE}:User`],
            userName: 'ann@example.com',
            emails: [{ type: 'work', primary: true, value: 'ann@example.com' }],
          },
        },
        {
          method: 'PATCH',
          path: `/Groups/${GROUP_ID}`,
          data: patch({ op: 'Add', path: 'members', value: [{ value: 'bulkId:ann' }] }),
        },
      ],
    },
    bulkAnswer: {
      schemas: [`${MESSAGE}:BulkResponse`],
      Operations: [
        {
          method: 'POST',
          bulkId: 'ann',
          location: `${base}/Users/${USER_ID}`,
          version: 'W/"1"',
          status: '201',
        },
        { method: 'PATCH', location: `${base}/Groups/${GROUP_ID}`, version: 'W/"2"', status: '204' },
      ],
    },
    error: {
      schemas: [`${MESSAGE}:Error`],
      status: '404',
      detail: `User '${USER_ID}' not found [request 5f0d2c1e-8a4b-4f0e-9d0b-3c9a6d1e7f20]`,
    },
    serviceProviderConfig: serviceProviderConfig(base),
    resourceTypes: page(types),
    resourceType: types[0],
    schemas: page(schemas),
    schema: schemas[0],
    tokenRequest: {
      grant_type: 'client_credentials',
      client_id: 'entra',
      client_secret: 'the client’s secret',
    },
    token: { access_token: 'eyJhbGciOi…', token_type: 'Bearer', expires_in: 3600, scope: 'scim' },
    oauthError: {
      error: 'invalid_client',
      error_description: 'the client is unknown, or its secret is wrong',
    },
    oauthMetadata: {
      issuer: root,
      token_endpoint: `${root}/oauth2/token`,
      grant_types_supported: ['client_credentials'],
    },
    healthy: { status: 'ok' },
    ready: { status: 'ready' },
    notReady: { status: 'not ready', reason: 'stopping' },
  } satisfies Record<string, unknown>
}

const patch = (operation: JsonObject): JsonObject => ({
  schemas: [`${MESSAGE}:PatchOp`],
  Operations: [operation],
})
