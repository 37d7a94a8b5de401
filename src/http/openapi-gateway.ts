import { isObject, type JsonObject } from '../scim/attribute.ts'

/** API Gateway ends a call after this time, unless its quota was raised. */
const TIMEOUT_MS = 29_000

/** What its import refuses, ignores or warns about (API Gateway Developer Guide, "important notes for REST APIs"). */
const UNKNOWN_WORDS = new Set(['readOnly', 'writeOnly', 'example', 'minItems', 'maxItems', 'uniqueItems'])

/**
 * The document as Amazon API Gateway imports it for a REST API: OpenAPI 3.0, each operation passed on as it is to the host that
 * the stage variable `upstream` names. Credentials are left to the service, so no security is declared.
 */
export function forApiGateway(document: JsonObject): JsonObject {
  const { servers: _servers, paths, components, ...rest } = document
  const { schemas } = components as JsonObject
  return {
    ...rest,
    openapi: '3.0.3',
    paths: Object.fromEntries(
      Object.entries(paths as Record<string, Record<string, JsonObject>>).map(([path, operations]) => [
        path,
        Object.fromEntries(
          Object.entries(operations).map(([method, operation]) => [
            method,
            passedOn(path, method, operation),
          ]),
        ),
      ]),
    ),
    components: { schemas: withoutUnknownWords(schemas, 'names') },
  }
}

function passedOn(path: string, method: string, operation: JsonObject): JsonObject {
  const { security: _security, ...known } = operation
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  return {
    ...(withoutUnknownWords(known, 'words') as JsonObject),
    'x-amazon-apigateway-integration': {
      type: 'http_proxy',
      httpMethod: method.toUpperCase(),
      // The gateway puts its stage variable in.
      uri: `https://\${stageVariables.upstream}${path}`,
      ...(names.length > 0 && {
        requestParameters: Object.fromEntries(
          names.map((name) => [`integration.request.path.${name}`, `method.request.path.${name}`]),
        ),
      }),
      passthroughBehavior: 'when_no_match',
      timeoutInMillis: TIMEOUT_MS,
    },
  }
}

/** @param keys whether the keys of this object are words of the language, or names that somebody gave, as those of properties */
function withoutUnknownWords(value: unknown, keys: 'words' | 'names'): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutUnknownWords(item, 'words'))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => keys === 'names' || !UNKNOWN_WORDS.has(key))
      .map(([key, inner]) => [
        key,
        withoutUnknownWords(inner, keys === 'words' && key === 'properties' ? 'names' : 'words'),
      ]),
  )
}
