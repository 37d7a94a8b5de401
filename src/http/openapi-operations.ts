import type { ResourceType } from '../scim/attribute.ts'
import { MAX_COUNT } from '../scim/page.ts'
import type { ResourceTypes } from '../scim/resource-types.ts'
import { SCIM_MEDIA_TYPE } from './json-bodies.ts'
import type { ExampleName } from './openapi-examples.ts'
import { SCIM_PREFIX } from './present.ts'

export interface Content {
  /** Of `openApiSchemas`. */
  readonly schema: string
  readonly example: ExampleName
  /** SCIM's, when it is left out. */
  readonly mediaType?: string
}

export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'header' | 'path'
  readonly description: string
  readonly type?: 'integer'
}

export interface Answer {
  readonly description: string
  readonly content?: Content
  readonly headers?: readonly string[]
}

export interface Operation {
  readonly id: string
  readonly tag: 'Users' | 'Groups' | 'All resources' | 'Discovery' | 'OAuth' | 'Operation'
  readonly summary: string
  readonly parameters?: readonly Parameter[]
  readonly body?: Content
  readonly answers: Readonly<Record<number, Answer>>
  /** Whose credential it asks for; none when it is left out. */
  readonly credential?: 'scim'
}

/** By `METHOD /path`, the path as the router has it. */
export type Operations = Readonly<Record<string, Operation>>

const JSON_TYPE = 'application/json'

const query = (name: string, description: string): Parameter => ({ name, in: 'query', description })
const header = (name: string, description: string): Parameter => ({ name, in: 'header', description })
const ID: Parameter = { name: 'id', in: 'path', description: 'The id of the resource' }
const IF_MATCH = header('If-Match', 'The ETag read before; 412 when the resource has changed since')
const IF_NONE_MATCH = header('If-None-Match', 'The ETag read before; 304 when the resource is still that')
const PROJECTION = [
  query('attributes', 'The attributes to send, separated by commas'),
  query('excludedAttributes', 'The attributes to leave out, separated by commas'),
]
const LIST = [
  query('filter', 'Which resources (RFC 7644 section 3.4.2.2), as userName eq "bjensen@example.com"'),
  query('sortBy', 'An attribute path'),
  query('sortOrder', 'ascending or descending'),
  { ...query('startIndex', 'The first result, from 1'), type: 'integer' } as const,
  {
    ...query('count', `How many results at most; no more than ${MAX_COUNT} are sent`),
    type: 'integer',
  } as const,
  query('cursor', 'Empty for the first page, then nextCursor of the page before (RFC 9865)'),
  ...PROJECTION,
]

const ok = (description: string, schema: string, example: ExampleName): Answer => ({
  description,
  content: { schema, example },
})

/** What a SCIM request may be refused for, and how that is said. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request is malformed, or a value is not possible; scimType says which',
  401: 'No credential, or not a valid one',
  403: 'The credential may only read, or the resource cannot be filtered',
  404: 'There is no such resource',
  409: 'Another resource has the value that must be unique',
  412: 'The resource has changed since',
  413: 'The request is larger than the server accepts',
  414: 'The URL is too long',
  415: 'The body is not SCIM or JSON',
  429: 'Too many requests; Retry-After says when to try again',
  501: 'The credential is that of a client, which has no resource of its own',
  503: 'The directory is unavailable at the moment; Retry-After says when to try again',
}

const refusals = (...statuses: readonly number[]): Record<number, Answer> =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: REFUSALS[status] ?? '',
        content: { schema: 'ScimError', example: 'error' },
        ...((status === 429 || status === 503) && { headers: ['Retry-After'] }),
        ...(status === 401 && { headers: ['WWW-Authenticate'] }),
      },
    ]),
  )

const READ = [400, 401, 414, 429, 503]
const WRITE = [400, 401, 403, 409, 413, 414, 415, 429, 503]

/** RFC 7644 §3.2, for one type of resource. */
function resourceOperations(
  type: ResourceType,
  example: 'user' | 'group',
  patchAnswer: 200 | 204,
): Operations {
  const { name } = type
  const kind = name.toLowerCase()
  const tag = `${name}s` as 'Users' | 'Groups'
  const path = `${SCIM_PREFIX}${type.endpoint}`
  const input = (which: ExampleName): Content => ({ schema: `${name}Input`, example: which })
  const whole = (description: string): Answer => ({
    ...ok(description, name, example),
    headers: ['ETag', 'Location'],
  })
  const titled = example === 'user' ? 'User' : 'Group'
  return {
    [`GET ${path}`]: {
      id: `list${tag}`,
      tag,
      summary: `Find ${kind}s`,
      parameters: LIST,
      answers: { 200: ok(`A page of ${kind}s`, `${name}List`, `${example}s`), ...refusals(...READ) },
      credential: 'scim',
    },
    [`POST ${path}`]: {
      id: `create${name}`,
      tag,
      summary: `Create a ${kind}`,
      parameters: PROJECTION,
      body: input(`new${titled}`),
      answers: { 201: whole(`The new ${kind}`), ...refusals(...WRITE) },
      credential: 'scim',
    },
    [`POST ${path}/.search`]: {
      id: `search${tag}`,
      tag,
      summary: `Find ${kind}s, with the query in the body`,
      body: { schema: 'SearchRequest', example: 'search' },
      answers: {
        200: ok(`A page of ${kind}s`, `${name}List`, `${example}s`),
        ...refusals(...READ, 413, 415),
      },
      credential: 'scim',
    },
    [`GET ${path}/:id`]: {
      id: `get${name}`,
      tag,
      summary: `Read a ${kind}`,
      parameters: [ID, IF_NONE_MATCH, ...PROJECTION],
      answers: {
        200: whole(`The ${kind}`),
        304: { description: 'It has not changed', headers: ['ETag'] },
        ...refusals(...READ, 404),
      },
      credential: 'scim',
    },
    [`PUT ${path}/:id`]: {
      id: `replace${name}`,
      tag,
      summary: `Replace a ${kind}`,
      parameters: [ID, IF_MATCH, ...PROJECTION],
      body: input(`changed${titled}`),
      answers: { 200: whole(`The ${kind} as it is now`), ...refusals(...WRITE, 404, 412) },
      credential: 'scim',
    },
    [`PATCH ${path}/:id`]: {
      id: `patch${name}`,
      tag,
      summary: `Change parts of a ${kind}`,
      parameters: [ID, IF_MATCH, ...PROJECTION],
      body: { schema: 'PatchRequest', example: `${example}Patch` },
      answers: {
        200: whole(`The ${kind} as it is now${patchAnswer === 204 ? ', if attributes were asked for' : ''}`),
        ...(patchAnswer === 204 && { 204: { description: 'Done', headers: ['ETag'] } }),
        ...refusals(...WRITE, 404, 412),
      },
      credential: 'scim',
    },
    [`DELETE ${path}/:id`]: {
      id: `delete${name}`,
      tag,
      summary: `Delete a ${kind}`,
      parameters: [ID, IF_MATCH],
      answers: { 204: { description: 'Deleted' }, ...refusals(...READ, 403, 404, 412, 413, 415) },
      credential: 'scim',
    },
  }
}

const discovery = (
  path: string,
  id: string,
  summary: string,
  answer: Answer,
  ...refused: number[]
): Operations => ({
  [`GET ${SCIM_PREFIX}${path}`]: {
    id,
    tag: 'Discovery',
    summary,
    ...(path.endsWith('/:id') && { parameters: [ID] }),
    answers: { 200: answer, ...refusals(...READ, 403, ...refused) },
    credential: 'scim',
  },
})

const SCIM: Operations = {
  [`GET ${SCIM_PREFIX}`]: {
    id: 'listResources',
    tag: 'All resources',
    summary: 'Find users and groups',
    parameters: LIST,
    answers: { 200: ok('A page of users and groups', 'ResourceList', 'resources'), ...refusals(...READ) },
    credential: 'scim',
  },
  [`POST ${SCIM_PREFIX}/.search`]: {
    id: 'searchResources',
    tag: 'All resources',
    summary: 'Find users and groups, with the query in the body',
    body: { schema: 'SearchRequest', example: 'search' },
    answers: {
      200: ok('A page of users and groups', 'ResourceList', 'resources'),
      ...refusals(...READ, 413, 415),
    },
    credential: 'scim',
  },
  [`POST ${SCIM_PREFIX}/Bulk`]: {
    id: 'bulk',
    tag: 'All resources',
    summary: 'Do several things with one request',
    body: { schema: 'BulkRequest', example: 'bulk' },
    answers: {
      200: ok('What became of each operation', 'BulkResponse', 'bulkAnswer'),
      ...refusals(400, 401, 403, 413, 414, 415, 429, 503),
    },
    credential: 'scim',
  },
  [`GET ${SCIM_PREFIX}/Me`]: {
    id: 'getMe',
    tag: 'All resources',
    summary: 'Not supported',
    answers: refusals(...READ, 501),
    credential: 'scim',
  },
  ...discovery(
    '/ServiceProviderConfig',
    'getServiceProviderConfig',
    'What this server can do',
    ok('What it can do', 'ServiceProviderConfig', 'serviceProviderConfig'),
  ),
  ...discovery(
    '/ResourceTypes',
    'listResourceTypes',
    'The types of resources',
    ok('All of them', 'ResourceTypeList', 'resourceTypes'),
  ),
  ...discovery(
    '/ResourceTypes/:id',
    'getResourceType',
    'One type of resources',
    ok('The type', 'ResourceType', 'resourceType'),
    404,
  ),
  ...discovery('/Schemas', 'listSchemas', 'The schemas', ok('All of them', 'SchemaList', 'schemas')),
  ...discovery('/Schemas/:id', 'getSchema', 'One schema', ok('The schema', 'Schema', 'schema'), 404),
}

const json = (schema: string, example: ExampleName): Content => ({ schema, example, mediaType: JSON_TYPE })

const OTHERS: Operations = {
  'POST /oauth2/token': {
    id: 'getToken',
    tag: 'OAuth',
    summary: 'Get an access token for client credentials (RFC 6749 section 4.4)',
    body: {
      schema: 'TokenRequest',
      example: 'tokenRequest',
      mediaType: 'application/x-www-form-urlencoded',
    },
    answers: {
      200: { description: 'The token', content: json('Token', 'token') },
      400: { description: 'The request is not possible', content: json('OauthError', 'oauthError') },
      401: {
        description: 'The client is unknown, or its secret is wrong',
        content: json('OauthError', 'oauthError'),
        headers: ['WWW-Authenticate'],
      },
      413: { description: 'The request is too large', content: json('OauthError', 'oauthError') },
      429: {
        description: 'Too many requests from there were refused; Retry-After says when to try again',
        content: json('OauthError', 'oauthError'),
        headers: ['Retry-After'],
      },
      503: {
        description: 'The database is unavailable at the moment',
        content: json('OauthError', 'oauthError'),
        headers: ['Retry-After'],
      },
    },
  },
  'GET /.well-known/oauth-authorization-server': {
    id: 'getOauthMetadata',
    tag: 'OAuth',
    summary: 'How to get an access token (RFC 8414)',
    answers: { 200: { description: 'How', content: json('OauthMetadata', 'oauthMetadata') } },
  },
  'GET /healthz': {
    id: 'getHealth',
    tag: 'Operation',
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It does', content: json('Status', 'healthy') } },
  },
  'GET /readyz': {
    id: 'getReadiness',
    tag: 'Operation',
    summary: 'Whether the process should get requests',
    answers: {
      200: { description: 'It should', content: json('Status', 'ready') },
      503: { description: 'It should not', content: json('Status', 'notReady') },
    },
  },
  'GET /metrics': {
    id: 'getMetrics',
    tag: 'Operation',
    summary: 'Metrics in the text format of Prometheus',
    answers: { 200: { description: 'The metrics' } },
  },
  'GET /openapi.json': {
    id: 'getDescription',
    tag: 'Operation',
    summary: 'This document',
    parameters: [
      query(
        'for',
        'amazon-api-gateway: as OpenAPI 3.0, with integrations, without what its import does not know',
      ),
    ],
    answers: {
      200: { description: 'OpenAPI' },
      400: { description: 'The document is not to be had for that' },
    },
  },
}

export const openApiOperations = ({ user, group }: ResourceTypes): Operations => ({
  ...resourceOperations(user, 'user', 200),
  ...resourceOperations(group, 'group', 204),
  ...SCIM,
  ...OTHERS,
})

export const mediaTypeOf = ({ mediaType = SCIM_MEDIA_TYPE }: Content): string => mediaType
