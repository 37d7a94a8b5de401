import type { Attribute, JsonObject, Schema } from './attribute.ts'
import { MAX_COUNT } from './page.ts'
import { resourceTypes } from './resource-types.ts'

const CORE = 'urn:ietf:params:scim:schemas:core:2.0'

export interface Capabilities {
  /** Where the SCIM resources are, without a slash at the end. */
  readonly baseUrl: string
  readonly documentationUri?: string
  /** RFC 7644 §3.7.4; without it there is no /Bulk. */
  readonly bulk?: { readonly maxOperations: number; readonly maxPayloadSize: number }
  readonly sort?: boolean
  /** RFC 9865 §2.5; without it only startIndex is understood, which is the default. */
  readonly pagination?: JsonObject
}

/** RFC 7643 §5. */
export function serviceProviderConfig(capabilities: Capabilities): JsonObject {
  const { baseUrl, documentationUri, bulk, sort = false, pagination } = capabilities
  return {
    schemas: [`${CORE}:ServiceProviderConfig`],
    ...(documentationUri !== undefined && { documentationUri }),
    patch: { supported: true },
    // The limits are required even where there is no /Bulk.
    bulk: { supported: bulk !== undefined, maxOperations: 0, maxPayloadSize: 0, ...bulk },
    filter: { supported: true, maxResults: MAX_COUNT },
    changePassword: { supported: false },
    sort: { supported: sort },
    etag: { supported: true },
    ...(pagination && { pagination }),
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'OAuth Bearer Token',
        description: 'Authentication scheme using the OAuth Bearer Token Standard',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
  }
}

/** RFC 7643 §6, one for each type of resource. */
export const resourceTypeResources = (baseUrl: string): JsonObject[] =>
  resourceTypes.map(({ name, endpoint, description, schema, extensions }) => ({
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
export function schemaResources(baseUrl: string): JsonObject[] {
  const schemas = resourceTypes.flatMap(({ schema, extensions }) => [
    schema,
    ...extensions.map((each) => each.schema),
  ])
  return [...new Set(schemas)].map((schema) => schemaResource(schema, baseUrl))
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
  page: { readonly totalResults: number; readonly startIndex: number; readonly itemsPerPage: number },
): JsonObject => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
  totalResults: page.totalResults,
  startIndex: page.startIndex,
  itemsPerPage: page.itemsPerPage,
  Resources: resources,
})
