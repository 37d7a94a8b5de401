import type { Attribute, JsonObject, Schema } from './attribute.ts'
import { BULK_LIMITS } from './bulk.ts'
import { CURSOR_TIMEOUT_SECONDS, DEFAULT_COUNT, MAX_COUNT } from './page.ts'
import type { ResourceTypes } from './resource-types.ts'

const CORE = 'urn:ietf:params:scim:schemas:core:2.0'

/** RFC 7643 §5, with the `pagination` of RFC 9865 §2.5. */
export function serviceProviderConfig(baseUrl: string): JsonObject {
  return {
    schemas: [`${CORE}:ServiceProviderConfig`],
    patch: { supported: true },
    bulk: { supported: true, ...BULK_LIMITS },
    filter: { supported: true, maxResults: MAX_COUNT },
    changePassword: { supported: false },
    sort: { supported: true },
    etag: { supported: true },
    pagination: {
      cursor: true,
      index: true,
      defaultPaginationMethod: 'index',
      defaultPageSize: DEFAULT_COUNT,
      maxPageSize: MAX_COUNT,
      cursorTimeout: CURSOR_TIMEOUT_SECONDS,
    },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'OAuth Bearer Token',
        description: 'Authentication scheme using the OAuth Bearer Token Standard',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
        primary: true,
      },
      {
        type: 'oauth2',
        name: 'OAuth 2.0',
        description: 'Bearer tokens from the token endpoint, by the client credentials grant',
        specUri: 'https://www.rfc-editor.org/info/rfc6749',
        primary: false,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
  }
}

/** RFC 7643 §6, one for each type of resource. */
export const resourceTypeResources = (types: ResourceTypes, baseUrl: string): JsonObject[] =>
  [types.user, types.group].map(({ name, endpoint, description, schema, extensions }) => ({
    schemas: [`${CORE}:ResourceType`],
    id: name,
    name,
    endpoint,
    description,
    schema: schema.id,
    schemaExtensions: extensions.map((extension) => ({
      schema: extension.schema.id,
      required: extension.required,
    })),
    meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/${name}` },
  }))

/** RFC 7643 §7, one for each schema, extensions included. */
export function schemaResources(types: ResourceTypes, baseUrl: string): JsonObject[] {
  const schemas = [types.user, types.group].flatMap(({ schema, extensions }) => [
    schema,
    ...extensions.map((each) => each.schema),
  ])
  // One extension may serve both types.
  const byId = new Map(schemas.map((schema) => [schema.id, schema]))
  return [...byId.values()].map((schema) => schemaResource(schema, baseUrl))
}

const schemaResource = ({ id, name, description, attributes }: Schema, baseUrl: string): JsonObject => ({
  schemas: [`${CORE}:Schema`],
  id,
  name,
  description,
  attributes: attributes.map(attributeResource),
  meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${id}` },
})

/** The tables are written in the words of RFC 7643 §7, so that they are the answer; only copied, lest it be changed. */
const attributeResource = (attribute: Attribute): JsonObject => ({
  ...attribute,
  ...(attribute.subAttributes && { subAttributes: attribute.subAttributes.map(attributeResource) }),
})

/** RFC 7644 §3.4.2: `Resources` always, even when empty, which Entra wants (fixture probe-users). */
export const listResponse = (
  resources: readonly JsonObject[],
  page: {
    readonly totalResults: number
    readonly startIndex?: number
    readonly nextCursor?: string | undefined
  },
): JsonObject => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
  totalResults: page.totalResults,
  ...(page.startIndex !== undefined && { startIndex: page.startIndex }),
  itemsPerPage: resources.length,
  ...(page.nextCursor !== undefined && { nextCursor: page.nextCursor }),
  Resources: resources,
})
