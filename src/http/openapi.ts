import { SCOPE } from '../access/oauth-request.ts'
import type { JsonObject } from '../scim/attribute.ts'
import type { ResourceTypes } from '../scim/resource-types.ts'
import { type Examples, openApiExamples } from './openapi-examples.ts'
import {
  type Answer,
  type Content,
  mediaTypeOf,
  type Operation,
  openApiOperations,
  type Parameter,
} from './openapi-operations.ts'
import { openApiSchemas, schemaNamed } from './openapi-schemas.ts'

/** A route as the router knows it. */
export interface KnownRoute {
  readonly method: string
  /** With `:name` for a parameter. */
  readonly path: string
}

export interface OpenApiParts {
  readonly routes: readonly KnownRoute[]
  readonly types: ResourceTypes
  /** What stands before every path outside, without a slash at the end. */
  readonly root: string
  readonly version: string
}

const TOKEN_PATH = '/oauth2/token'

/** OpenAPI 3.1 of the routes that there are. One that nobody described is left out; a test finds it. */
export function openApiDocument({ routes, types, root, version }: OpenApiParts): JsonObject {
  const operations = openApiOperations(types)
  const examples = openApiExamples(types, root)
  const described = routes.flatMap((route) => {
    const operation = operations[keyOf(route)]
    return operation ? [{ route, operation }] : []
  })
  const paths: Record<string, JsonObject> = {}
  for (const { route, operation } of described) {
    const path = templateOf(route.path)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationObject(operation, examples) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Campaign Manager SCIM',
      version,
      description:
        'SCIM 2.0 (RFC 7643, 7644, 9865) through which an identity provider keeps the users and groups that hold roles in Campaign Manager.',
    },
    servers: [{ url: root }],
    tags: [...new Set(described.map(({ operation }) => operation.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: openApiSchemas(types),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A token of the tenant' },
        ...(TOKEN_PATH in paths && {
          oauth: {
            type: 'oauth2',
            flows: {
              clientCredentials: {
                tokenUrl: `${root}${TOKEN_PATH}`,
                scopes: { [SCOPE]: 'All of the tenant’s resources' },
              },
            },
          },
        }),
      },
    },
  }
}

/** Where the table of operations has a route. */
export const keyOf = ({ method, path }: KnownRoute): string => `${method} ${path}`

export const templateOf = (path: string): string => path.replace(/:(\w+)/g, '{$1}')

function operationObject(operation: Operation, examples: Examples): JsonObject {
  const { id, tag, summary, parameters = [], body, answers, credential } = operation
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(parameters.length > 0 && { parameters: parameters.map(parameterObject) }),
    ...(body && { requestBody: { required: true, content: contentObject(body, examples) } }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, responseObject(answer, examples)]),
    ),
    security: credential === 'scim' ? [{ bearer: [] }, { oauth: [SCOPE] }] : [],
  }
}

const parameterObject = ({
  name,
  in: place,
  description,
  type = 'string' as never,
}: Parameter): JsonObject => ({
  name,
  in: place,
  description,
  ...(place === 'path' && { required: true }),
  schema: { type },
})

const responseObject = ({ description, content, headers = [] }: Answer, examples: Examples): JsonObject => ({
  description,
  ...(headers.length > 0 && {
    headers: Object.fromEntries(headers.map((name) => [name, { schema: { type: 'string' } }])),
  }),
  ...(content && { content: contentObject(content, examples) }),
})

const contentObject = (content: Content, examples: Examples): JsonObject => ({
  [mediaTypeOf(content)]: { schema: schemaNamed(content.schema), example: examples[content.example] },
})
