import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { FastifyInstance, RouteOptions } from 'fastify'
import t from 'tap'
import { issueToken } from '../../src/access/tokens.ts'
import { SCIM_TOKEN, startTestService, type TestService } from '../support/service.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document of every shape
type Json = any

const METHODS = ['get', 'put', 'post', 'delete', 'patch']
/** The same answer as without the `*`, at the place where RFC 8414 §3 wants it for an issuer with a path. */
const UNDESCRIBED = ['GET /.well-known/oauth-authorization-server/*']

const fetchDocument = async (url: string, query = ''): Promise<Json> =>
  (await fetch(`${url}/openapi.json${query}`)).json()

interface Described {
  readonly method: string
  readonly path: string
  readonly operation: Json
}

const operationsOf = (document: Json): Described[] =>
  Object.entries(document.paths as Json).flatMap(([path, item]: [string, Json]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })),
  )

/** Checks values against the schemas of the document. */
function checker(document: Json): (schema: string, value: unknown) => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', components: document.components })
  return (schema, value) => {
    const check = ajv.compile({ $ref: `document${schema}` })
    check(value)
    return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
  }
}

/** What somebody who follows the document sends and expects. */
const contentOf = (part: Json): { mediaType: string; schema: string; example: Json } | undefined => {
  const [entry] = Object.entries((part?.content ?? {}) as Json) as [string, Json][]
  return entry && { mediaType: entry[0], schema: entry[1].schema.$ref, example: entry[1].example }
}

t.test('is OpenAPI 3.1, and OpenAPI 3.0 for Amazon API Gateway', async (t) => {
  const { url } = await startTestService(t)
  for (const [query, version] of [
    ['', '3.1'],
    ['?for=amazon-api-gateway', '3.0'],
  ] as const) {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(await fetchDocument(url, query))
    t.same(errors ?? [], [], `${version} is valid`)
    t.equal(valid, true)
    t.equal(validator.version, version)
  }
  const refused = await fetch(`${url}/openapi.json?for=somebody`)
  t.equal(refused.status, 400)
  t.match(await refused.json(), { error: /"amazon-api-gateway"/ })
})

t.test('describes every route that answers, and no other', async (t) => {
  const routes = new Map<FastifyInstance, RouteOptions[]>()
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    const known: RouteOptions[] = []
    routes.set(fastify, known)
    fastify.addHook('onRoute', (route) => {
      known.push(route)
    })
  }
  subscribe('fastify.initialization', watch)
  t.teardown(() => unsubscribe('fastify.initialization', watch))
  const { url, running } = await startTestService(t)
  const document = await fetchDocument(url)

  const template = (path: string) => path.replace(/(?<=.)\/$/, '').replace(/:(\w+)/g, '{$1}')
  const known = routes.get(running.service.http) ?? []
  // Those of several methods only refuse; that their paths are described is seen below.
  const answering = known.filter(({ method }) => !Array.isArray(method) && method !== 'HEAD')
  const keysOf = (routes: readonly RouteOptions[]) =>
    routes.flatMap(({ method, url }) => [method].flat().map((each) => `${each} ${template(url)}`))
  const described = operationsOf(document).map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  t.same(
    keysOf(answering).filter((route) => !described.includes(route)),
    UNDESCRIBED,
    'nothing else is left out',
  )
  t.same(
    described.filter((operation) => !keysOf(known).includes(operation)),
    [],
    'nothing is described that is not there',
  )
  const paths = known.map(({ url }) => template(url)).filter((path) => !path.endsWith('*'))
  t.same(
    paths.filter((path) => !(path in document.paths)),
    [],
    'every path is described',
  )
})

t.test('its examples fit its schemas', async (t) => {
  const { url } = await startTestService(t)
  const document = await fetchDocument(url)
  const faults = checker(document)
  const contents = operationsOf(document).flatMap(({ operation }) =>
    [operation.requestBody, ...Object.values(operation.responses)].flatMap((part) => contentOf(part) ?? []),
  )
  t.ok(contents.length > 50)
  for (const { schema, example } of contents) {
    t.same(faults(schema, example), [], schema)
  }
})

t.test('the service does what it says', async (t) => {
  const service = await startTestService(t, {
    env: { RECONCILE: 'off' },
    roles: ['Placeholder', 'Campaign Editor'],
  })
  const document = await fetchDocument(service.url)
  const faults = checker(document)
  const ids: Record<string, string> = {}
  // Created before they are read, and deleted last.
  const order = [
    'createUser',
    'createGroup',
    'replaceUser',
    'patchUser',
    'replaceGroup',
    'patchGroup',
    'bulk',
  ]
  const last = ['deleteGroup', 'deleteUser']
  const place = ({ operation: { operationId: id } }: Described) =>
    order.includes(id) ? order.indexOf(id) : 100 + last.indexOf(id)
  const scim = operationsOf(document).filter(({ operation }) => operation.security.length > 0)

  for (const described of scim.toSorted((a, b) => place(a) - place(b))) {
    const { operation } = described
    const answer = await send(service, described, ids)
    if (operation.operationId === 'createUser') ids.Users = answer.body.id
    if (operation.operationId === 'createGroup') ids.Groups = answer.body.id
    const said = operation.responses[answer.status]
    t.ok(said, `${operation.operationId} may answer ${answer.status}`)
    t.equal(answer.status < 300, operation.operationId !== 'getMe', JSON.stringify(answer.body))
    const content = contentOf(said)
    if (content) t.same(faults(content.schema, answer.body), [], `${operation.operationId} answers so`)
    for (const name of Object.keys(said.headers ?? {})) {
      t.ok(answer.headers.get(name), `${operation.operationId} sends ${name}`)
    }
  }
})

t.test('a request without a credential is refused as described', async (t) => {
  const service = await startTestService(t)
  const document = await fetchDocument(service.url)
  const faults = checker(document)
  for (const described of operationsOf(document).filter(({ operation }) => operation.security.length > 0)) {
    const answer = await send(service, described, {}, {})
    const content = contentOf(described.operation.responses[401])
    t.equal(answer.status, 401, described.operation.operationId)
    t.same(faults(content?.schema ?? '', answer.body), [])
    t.ok(answer.headers.get('www-authenticate'))
  }
})

t.test('whatever is wrong with a request, the answer is one that is described', async (t) => {
  const service = await startTestService(t)
  const { database, url } = service
  const issued = await issueToken(database.db, 'default', 'reader', undefined, { access: 'read' })
  const token = (value: string) => ({ authorization: `Bearer ${value}` })
  const json = { ...token(SCIM_TOKEN), 'content-type': 'application/scim+json' }
  const wrong: Record<string, (method: string) => [query: string, init: RequestInit] | undefined> = {
    'may only read': () => ['', { headers: { ...json, ...token(issued?.token ?? '') } }],
    'a URL that is too long': () => [`?filter=${'x'.repeat(17_000)}`, { headers: json }],
    'a parameter twice': () => ['?count=1&count=2', { headers: json }],
    'a filter': () => ['?filter=userName%20eq%20%22a%22', { headers: json }],
    'a body in another language': (method) =>
      method === 'get' ? undefined : ['', { headers: { ...json, 'content-type': 'text/xml' }, body: '<a/>' }],
    'no JSON': (method) => (method === 'get' ? undefined : ['', { headers: json, body: '{' }]),
    'a body that is too large': (method) =>
      method === 'get' ? undefined : ['', { headers: json, body: ' '.repeat(9_000_000) }],
    'a precondition that fails': () => ['', { headers: { ...json, 'if-match': 'W/"none"' } }],
  }
  const scim = operationsOf(await fetchDocument(url)).filter(({ operation }) => operation.security.length > 0)
  const seen = new Set<number>()
  for (const { method, path, operation } of scim) {
    for (const [what, requestOf] of Object.entries(wrong)) {
      const request = requestOf(method)
      if (!request) continue
      const [query, init] = request
      const target = `${url}${path.replace('{id}', randomUUID())}${query}`
      const response = await fetch(target, { ...init, method: method.toUpperCase() })
      await response.arrayBuffer()
      seen.add(response.status)
      t.ok(operation.responses[response.status], `${what}: ${operation.operationId} ${response.status}`)
    }
  }
  for (const status of [400, 403, 404, 413, 414, 415]) t.ok(seen.has(status), `${status} was seen`)
})

t.test('what needs no credential answers as described', async (t) => {
  const { url } = await startTestService(t)
  const document = await fetchDocument(url)
  const faults = checker(document)
  const open = operationsOf(document).filter(
    ({ operation, method }) => operation.security.length === 0 && method === 'get',
  )
  t.ok(open.length >= 5)
  for (const { path, operation } of open) {
    const response = await fetch(`${url}${path}`)
    t.equal(response.status, 200, path)
    const content = contentOf(operation.responses[200])
    if (content) t.same(faults(content.schema, await response.json()), [], path)
    else await response.arrayBuffer()
  }
})

t.test('names itself as it is seen from outside', async (t) => {
  const behindGateway = await startTestService(t, { env: { PUBLIC_URL: 'https://api.example.com/prod' } })
  const { servers, components } = await fetchDocument(behindGateway.url)
  t.same(servers, [{ url: 'https://api.example.com/prod' }])
  const { oauth } = components.securitySchemes
  t.equal(oauth.flows.clientCredentials.tokenUrl, 'https://api.example.com/prod/oauth2/token')
  t.match(components.securitySchemes.bearer, { type: 'http', scheme: 'bearer' })

  const plain = await startTestService(t, { beside: behindGateway })
  t.same((await fetchDocument(plain.url)).servers, [{ url: plain.url }])
})

t.test('describes no route that this process does not have', async (t) => {
  const { url } = await startTestService(t, { env: { METRICS_PORT: '0' } })
  t.notOk('/metrics' in (await fetchDocument(url)).paths)
})

t.test(
  'for Amazon API Gateway passes every operation on, and says nothing it would not understand',
  async (t) => {
    const { url } = await startTestService(t)
    const document = await fetchDocument(url, '?for=amazon-api-gateway')
    const all = operationsOf(document)
    t.same(
      all.map(({ method, path }) => `${method} ${path}`),
      operationsOf(await fetchDocument(url)).map(({ method, path }) => `${method} ${path}`),
    )
    for (const { method, path, operation } of all) {
      const parameters = path.includes('{id}')
        ? { requestParameters: { 'integration.request.path.id': 'method.request.path.id' } }
        : {}
      t.match(operation['x-amazon-apigateway-integration'], {
        type: 'http_proxy',
        httpMethod: method.toUpperCase(),
        uri: `https://\${stageVariables.upstream}${path}`,
        timeoutInMillis: 29_000,
        ...parameters,
      })
      t.match(path, /^(\/([\w.:-]+|\{\w+\}))+$/, 'a path that the gateway takes')
      t.notOk('default' in operation.responses)
    }
    for (const name of Object.keys(document.components.schemas)) t.match(name, /^[A-Za-z0-9]+$/)
    t.notMatch(
      JSON.stringify(document),
      /"(oneOf|anyOf|allOf|discriminator|pattern|exclusiveMinimum|const)":/,
    )
    for (const gone of ['servers', 'security', 'readOnly', 'writeOnly', 'example']) {
      t.notMatch(JSON.stringify(document), new RegExp(`"${gone}":`), `no ${gone}`)
    }
    t.match(document.components.schemas.User.properties, { userName: { type: 'string' } })
  },
)

async function send(
  { url }: TestService,
  { method, path, operation }: Described,
  ids: Readonly<Record<string, string>>,
  headers: Record<string, string> = { authorization: `Bearer ${SCIM_TOKEN}` },
): Promise<{ status: number; headers: Headers; body: Json }> {
  const [, , , endpoint = ''] = path.split('/')
  const known: Record<string, string> = { ...ids, ResourceTypes: 'User', Schemas: `${CORE}:User` }
  const request = contentOf(operation.requestBody)
  const body = request && withIds(request.example, ids)
  const response = await fetch(url + path.replace('{id}', known[endpoint] ?? 'nobody'), {
    method: method.toUpperCase(),
    headers: { ...headers, ...(request && { 'content-type': request.mediaType }) },
    ...(body !== undefined && { body }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

const CORE = 'urn:ietf:params:scim:schemas:core:2.0'

/** The ids in the examples are not those that the service gave. */
const withIds = (example: Json, { Users = '', Groups = '' }: Readonly<Record<string, string>>): string =>
  JSON.stringify(example)
    .replaceAll('2819c223-7f76-453a-919d-413861904646', Users)
    .replaceAll('e9e30dba-f08f-4109-8486-d5c6a331660a', Groups)
