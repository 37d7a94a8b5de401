import { ACCESS_TOKEN_SECONDS } from '../access/oauth-tokens.ts'
import { type Attribute, isSimpleList, type ResourceType } from '../scim/attribute.ts'
import { BULK_LIMITS } from '../scim/bulk.ts'
import { MAX_COUNT } from '../scim/page.ts'
import type { ResourceTypes } from '../scim/resource-types.ts'
import { serverAttributes } from '../scim/schemas/resource.ts'

/**
 * JSON Schema in the words that OpenAPI 3.0, 3.1 and Amazon API Gateway have in common: no `const`, no list of types, no
 * `oneOf`, no `pattern`.
 */
export type JsonSchema = { readonly [word: string]: unknown }

const text = (description: string, more: JsonSchema = {}): JsonSchema => ({
  type: 'string',
  description,
  ...more,
})
const whole = (description: string, more: JsonSchema = {}): JsonSchema => ({
  type: 'integer',
  description,
  ...more,
})
const flag = (description: string): JsonSchema => ({ type: 'boolean', description })
const list = (items: JsonSchema, more: JsonSchema = {}): JsonSchema => ({ type: 'array', items, ...more })
const object = (
  required: readonly string[],
  properties: Readonly<Record<string, JsonSchema>>,
  more: JsonSchema = {},
): JsonSchema => ({ type: 'object', ...(required.length > 0 && { required }), properties, ...more })
export const schemaNamed = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

const SCHEMAS = list(text('The URN of a schema'), { minItems: 1 })
const ANYTHING: JsonSchema = { description: 'A value of any type' }

const MESSAGES: Readonly<Record<string, JsonSchema>> = {
  PatchRequest: object(['schemas', 'Operations'], {
    schemas: SCHEMAS,
    Operations: list(
      object(['op'], {
        op: text('add, replace or remove, in any case'),
        path: text('An attribute path, with a filter in brackets where one of several values is meant'),
        value: ANYTHING,
      }),
      { minItems: 1 },
    ),
  }),
  SearchRequest: object(['schemas'], {
    schemas: SCHEMAS,
    attributes: list(text('An attribute path')),
    excludedAttributes: list(text('An attribute path')),
    filter: text('A filter (RFC 7644 section 3.4.2.2)'),
    sortBy: text('An attribute path'),
    sortOrder: text('ascending or descending'),
    startIndex: whole('The first result, from 1'),
    count: whole(`How many results at most; no more than ${MAX_COUNT} are sent`),
    cursor: text('Empty for the first page, then nextCursor of the page before (RFC 9865)'),
  }),
  BulkRequest: object(['schemas', 'Operations'], {
    schemas: SCHEMAS,
    failOnErrors: whole('After so many errors nothing more is done', { minimum: 1 }),
    Operations: list(
      object(['method', 'path'], {
        method: text('What to do', { enum: ['POST', 'PUT', 'PATCH', 'DELETE'] }),
        bulkId: text('Names a resource that is to be created, for references to it: bulkId:NAME'),
        version: text('As If-Match'),
        path: text('/Users, /Groups, or one of their resources'),
        data: ANYTHING,
      }),
      { minItems: 1, maxItems: BULK_LIMITS.maxOperations },
    ),
  }),
  BulkResponse: object(['schemas', 'Operations'], {
    schemas: SCHEMAS,
    Operations: list(
      object(['status'], {
        method: text('As sent'),
        bulkId: text('As sent'),
        version: text('The ETag of the resource'),
        location: text('The URI of the resource'),
        status: text('The HTTP status'),
        response: ANYTHING,
      }),
    ),
  }),
  ScimError: object(['schemas', 'status'], {
    schemas: SCHEMAS,
    status: text('The HTTP status'),
    scimType: text('What kind of error it is (RFC 7644 section 3.12)'),
    detail: text('What is wrong, with the id of the request'),
  }),
  ServiceProviderConfig: object(['schemas', 'patch', 'bulk', 'filter', 'changePassword', 'sort', 'etag'], {
    schemas: SCHEMAS,
    ...Object.fromEntries(
      ['patch', 'bulk', 'filter', 'changePassword', 'sort', 'etag'].map((feature) => [
        feature,
        object(['supported'], { supported: flag('Whether the server can do it') }),
      ]),
    ),
    pagination: { type: 'object', description: 'How lists are paged (RFC 9865 section 2.5)' },
    authenticationSchemes: list({ type: 'object' }),
    meta: { type: 'object' },
  }),
  ResourceType: object(['schemas', 'name', 'endpoint', 'schema'], {
    schemas: SCHEMAS,
    id: text('The name'),
    name: text('The name'),
    description: text('What it is'),
    endpoint: text('The path below the base'),
    schema: text('The URN of the core schema'),
    schemaExtensions: list(
      object(['schema', 'required'], { schema: text('A URN'), required: flag('Always present') }),
    ),
    meta: { type: 'object' },
  }),
  Schema: object(['schemas', 'id', 'attributes'], {
    schemas: SCHEMAS,
    id: text('The URN'),
    name: text('The name'),
    description: text('What it is'),
    attributes: list({ type: 'object', description: 'An attribute (RFC 7643 section 7)' }),
    meta: { type: 'object' },
  }),
  TokenRequest: object(['grant_type'], {
    grant_type: text('The only grant', { enum: ['client_credentials'] }),
    scope: text('What is asked for'),
    client_id: text('Of the client, if not in the Authorization header'),
    client_secret: text('Of the client, if not in the Authorization header'),
    client_assertion_type: text('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
    client_assertion: text('A JWT signed by the client, in place of the secret (RFC 7523)'),
  }),
  Token: object(['access_token', 'token_type', 'expires_in'], {
    access_token: text('Goes into the Authorization header of SCIM requests'),
    token_type: text('Bearer'),
    expires_in: whole(`Seconds; ${ACCESS_TOKEN_SECONDS}`),
    scope: text('What was granted'),
  }),
  OauthError: object(['error'], {
    error: text('A code of RFC 6749 section 5.2'),
    error_description: text('What is wrong'),
  }),
  OauthMetadata: object(['issuer', 'token_endpoint', 'grant_types_supported'], {
    issuer: text('What stands before all paths'),
    token_endpoint: text('A URL'),
    grant_types_supported: list({ type: 'string' }),
  }),
  Status: object(['status'], {
    status: text('ok, ready, or not ready'),
    reason: text('Why it is not ready'),
  }),
}

/** Every schema of the document: those of the resources from the attribute tables, the operator's extensions included. */
export function openApiSchemas({ user, group }: ResourceTypes): Record<string, JsonSchema> {
  const page = (name: string) => object(['schemas', 'totalResults', 'Resources'], pageOf(name))
  return {
    User: resourceSchema(user, 'out'),
    UserInput: resourceSchema(user, 'in'),
    Group: resourceSchema(group, 'out'),
    GroupInput: resourceSchema(group, 'in'),
    UserList: page('User'),
    GroupList: page('Group'),
    ResourceTypeList: page('ResourceType'),
    SchemaList: page('Schema'),
    ResourceList: object(['schemas', 'totalResults', 'Resources'], {
      ...pageOf('User'),
      Resources: list({ type: 'object', description: 'A User or a Group' }),
    }),
    ...MESSAGES,
  }
}

const pageOf = (name: string): Record<string, JsonSchema> => ({
  schemas: SCHEMAS,
  totalResults: whole('How many there are on all pages'),
  startIndex: whole('The first of this page, from 1'),
  itemsPerPage: whole('How many are on this page'),
  nextCursor: text('Where the next page begins, when pages are asked for by cursor'),
  Resources: list(schemaNamed(name)),
})

/**
 * A resource as it is sent or as it is answered. What a client cannot say is not in the one; nothing but what is always returned
 * must be in the other, since a client may ask for parts.
 */
function resourceSchema({ description, schema, extensions }: ResourceType, way: Way): JsonSchema {
  const { properties, required } = attributesSchema(
    description,
    [...serverAttributes, ...schema.attributes],
    way,
  )
  const further = extensions.map((each): [string, JsonSchema] => [
    each.schema.id,
    attributesSchema(each.schema.description, each.schema.attributes, way),
  ])
  const needed = extensions.filter((each) => way === 'in' && each.required).map((each) => each.schema.id)
  return object(
    ['schemas', ...((required as string[] | undefined) ?? []), ...needed].filter(isFirst),
    { ...(properties as object), schemas: SCHEMAS, ...Object.fromEntries(further) },
    { description },
  )
}

type Way = 'in' | 'out'

/** As attributes are called that OpenAPI's readers would take for a reference of its own, wherever it stands. */
const REFERENCE = '$ref'

function attributesSchema(description: string, attributes: readonly Attribute[], way: Way): JsonSchema {
  const sayable = attributes.filter(
    ({ name, mutability }) => name !== REFERENCE && !(way === 'in' && mutability === 'readOnly'),
  )
  const must = sayable.filter(({ required, returned }) => (way === 'in' ? required : returned === 'always'))
  return object(
    must.map(({ name }) => name),
    Object.fromEntries(sayable.map((each) => [each.name, attributeSchema(each, way)])),
    {
      description:
        attributes.length > sayable.length && hasReference(attributes)
          ? `${description} Also $ref, a URI.`
          : description,
    },
  )
}

const hasReference = (attributes: readonly Attribute[]): boolean =>
  attributes.some(({ name }) => name === REFERENCE)

const isFirst = (name: string, index: number, names: readonly string[]) => names.indexOf(name) === index

const VALUES: Readonly<Record<Exclude<Attribute['type'], 'complex'>, JsonSchema>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  decimal: { type: 'number' },
  integer: { type: 'integer' },
  dateTime: { type: 'string', format: 'date-time' },
  reference: { type: 'string' },
  binary: { type: 'string' },
}

function attributeSchema(attribute: Attribute, way: Way): JsonSchema {
  const { type, multiValued, description } = attribute
  const value: JsonSchema =
    type === 'complex' ? attributesSchema(description, attribute.subAttributes ?? [], way) : VALUES[type]
  const usual = attribute.canonicalValues && ` Usual values: ${attribute.canonicalValues.join(', ')}.`
  return {
    ...(multiValued ? list(isSimpleList(attribute) ? VALUES[type as 'string'] : value) : value),
    description: `${multiValued ? description : (value.description ?? description)}${usual ?? ''}`,
  }
}
