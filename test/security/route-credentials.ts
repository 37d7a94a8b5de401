/** What each route answers to the right credential, by method; a method that is not named here must not exist there. */
export type Expectation = Readonly<Record<string, number>>

const refused = (...methods: string[]): Expectation =>
  Object.fromEntries(methods.map((method) => [method, 405]))

const reads: Expectation = {
  GET: 200,
  HEAD: 200,
  ...refused('POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'),
}
const collection: Expectation = { ...reads, POST: 201 }
const single: Expectation = { ...reads, PUT: 200, PATCH: 200, DELETE: 204 }
const search: Expectation = {
  ...refused('GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'),
  POST: 200,
}

/** Behind a SCIM credential: every route under /scim/v2. */
export const behindCredential: Readonly<Record<string, Expectation>> = {
  '/scim/v2': reads,
  '/scim/v2/.search': search,
  '/scim/v2/Users': collection,
  '/scim/v2/Users/.search': search,
  '/scim/v2/Users/:id': single,
  '/scim/v2/Groups': collection,
  '/scim/v2/Groups/.search': search,
  '/scim/v2/Groups/:id': { ...single, PATCH: 204 },
  '/scim/v2/Bulk': search,
  '/scim/v2/ServiceProviderConfig': reads,
  '/scim/v2/Schemas': reads,
  '/scim/v2/Schemas/:id': reads,
  '/scim/v2/ResourceTypes': reads,
  '/scim/v2/ResourceTypes/:id': reads,
  // RFC 7644 §3.11; and QUERY, because the framework knows it.
  '/scim/v2/Me': Object.fromEntries(
    ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'].map((method) => [
      method,
      501,
    ]),
  ),
}

const open: Expectation = { GET: 200, HEAD: 200 }

/** For anybody: they hold nothing of any tenant. */
export const forAnybody: Readonly<Record<string, Expectation>> = {
  // Probes, and numbers without names; METRICS_PORT moves them away.
  '/healthz': open,
  '/readyz': open,
  '/metrics': open,
  // What there is to ask.
  '/openapi.json': open,
  '/.well-known/oauth-authorization-server': open,
  // Where the service is not under a path of its own, there is nothing behind it.
  '/.well-known/oauth-authorization-server*': { GET: 404, HEAD: 404 },
  // Asks for a client's own secret or assertion, not for a bearer token.
  '/oauth2/token': { POST: 400, ...refused('GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE') },
}

/** Every route and method that Fastify knows, out of its drawing of them. */
export function routesOf(drawing: string): { path: string; method: string }[] {
  const parents: string[] = []
  return drawing
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const [, branches = '', part = '', methods] = /^([│├└─ ]*)(\S+)(?: \((.+)\))?$/.exec(line) ?? []
      const depth = branches.length / 4
      const path = `${parents[depth - 1] ?? ''}${part}`
      parents[depth] = path
      if (part === '') throw new Error(`not understood: ${line}`)
      return (methods?.split(', ') ?? []).map((method) => ({ path, method }))
    })
}
