import { randomUUID } from 'node:crypto'
import t from 'tap'
import { issueToken, revokeToken } from '../../src/access/tokens.ts'
import { addMembers, groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { CAMPAIGN_MANAGER_TOKEN, SCIM_TOKEN, startTestService, type TestService } from '../support/service.ts'
import { behindCredential, forAnybody, routesOf } from './route-credentials.ts'
import { sendRaw, tenantOf, tokenOf } from './setup.ts'

/** Wrong credentials are counted by where they come from: each request here comes from elsewhere. */
const env = { TRUST_PROXY: '127.0.0.1', UNKNOWN_ROLE: 'hold', OPERATOR_TOKEN: 'operator-token-of-the-test' }
let sources = 0
const elsewhere = (): string => `10.${(sources >> 16) & 255}.${(sources >> 8) & 255}.${sources++ & 255}`

/** Header values of every kind of credential that must get nobody in. */
async function wrongCredentials({ database, ...service }: TestService) {
  const { db, pool } = database
  const expired = await tokenOf({ database }, 'default')
  await pool.query(`update scim_token set expires_at = now() where token_id = $1`, [expired.id])
  const revoked = await tokenOf({ database }, 'default')
  await revokeToken(db, 'default', revoked.id)
  const right = await tokenOf({ database }, 'default')
  const other = await tenantOf({ database, url: service.url }, 'acme')
  return {
    none: undefined,
    empty: '',
    scheme: 'Bearer',
    blank: 'Bearer    ',
    undefined: 'Bearer undefined',
    null: 'Bearer null',
    wrong: `Bearer ${right.token.slice(0, -1)}${right.token.endsWith('A') ? 'B' : 'A'}`,
    basic: `Basic ${Buffer.from(`x:${right.token}`).toString('base64')}`,
    expired: `Bearer ${expired.token}`,
    revoked: `Bearer ${revoked.token}`,
    // The id of one tenant's token with the secret of another's.
    mixed: `Bearer ${right.token.slice(0, -43)}${other.token.slice(-43)}`,
    operator: `Bearer ${env.OPERATOR_TOKEN}`,
    downstream: `Bearer ${CAMPAIGN_MANAGER_TOKEN}`,
  } satisfies Record<string, string | undefined>
}

async function ask(
  url: string,
  method: string,
  path: string,
  authorization: string | undefined,
  body?: unknown,
): Promise<{ status: number; headers: string }> {
  const sent = body === undefined ? '' : JSON.stringify(body)
  const [answer] = await sendRaw(
    url,
    [
      `${method} ${path} HTTP/1.1`,
      'Host: localhost',
      'Connection: close',
      `X-Forwarded-For: ${elsewhere()}`,
      ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
      ...(sent === ''
        ? []
        : ['Content-Type: application/scim+json', `Content-Length: ${Buffer.byteLength(sent)}`]),
      '',
      sent,
    ].join('\r\n'),
  )
  return { status: answer?.status ?? 0, headers: JSON.stringify(answer?.headers) }
}

t.test('routes × credentials', async (t) => {
  const service = await startTestService(t, { env })
  const { url, scim, running } = service
  const routes = routesOf(running.service.http.printRoutes({ commonPrefix: false }))
  const user = (await scim('POST', '/Users', userBody('ann'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Agents'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(user))

  t.test('every route is expected, and every expectation is a route', async (t) => {
    const known = routes.map(({ path, method }) => `${method} ${path}`).sort()
    const expected = Object.entries({ ...behindCredential, ...forAnybody }).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    t.strictSame(known, expected.sort())
  })

  const idIn = (path: string): string =>
    path.includes('/Groups/') ? group : path.includes('/Users/') ? user : ''
  const pathOf = (path: string): string =>
    path
      .replace('Schemas/:id', 'Schemas/urn:ietf:params:scim:schemas:core:2.0:User')
      .replace('ResourceTypes/:id', 'ResourceTypes/User')
      .replace(':id', idIn(path))
      .replace(/\*$/, '/nothing')
  let made = 0
  const bodyOf = (method: string, path: string): unknown => {
    made += 1
    const message = (name: string) => ({ schemas: [`urn:ietf:params:scim:api:messages:2.0:${name}`] })
    if (method === 'PATCH') return patchBody({ op: 'replace', path: 'externalId', value: `x${made}` })
    if (!['POST', 'PUT'].includes(method)) return undefined
    if (path.endsWith('/.search')) return message('SearchRequest')
    if (path.endsWith('/Bulk')) {
      return { ...message('BulkRequest'), Operations: [{ method: 'DELETE', path: `/Users/${randomUUID()}` }] }
    }
    if (path.includes('/Groups')) return groupBody(method === 'PUT' ? 'Agents' : `Group ${made}`)
    return userBody(method === 'PUT' ? 'ann' : `user-${made}`)
  }

  const wrong = await wrongCredentials(service)
  const other = `Bearer ${(await tokenOf(service, 'acme')).token}`
  const reader = `Bearer ${(await issueToken(service.database.db, 'default', 'reads', 1, { access: 'read' }))?.token}`
  const columns = { ...wrong, other, reader, right: `Bearer ${SCIM_TOKEN}` }
  const rows: string[][] = [['', ...Object.keys(columns)]]

  t.test('under /scim/v2 only the right credential gets anything', async (t) => {
    // The routes that delete come last, or the others would find nothing.
    const scimRoutes = routes.filter(({ path }) => path in behindCredential)
    const ordered = scimRoutes.toSorted(
      (a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'),
    )
    for (const { path, method } of ordered) {
      const row = [`${method} ${path}`]
      const expected = behindCredential[path]?.[method] ?? 0
      for (const [name, authorization] of Object.entries(columns)) {
        const { status, headers } = await ask(url, method, pathOf(path), authorization, bodyOf(method, path))
        row.push(String(status))
        const isRefusal = name in wrong
        t.equal(status, expectedOf(name, path, method, expected, isRefusal), `${name}: ${method} ${path}`)
        if (isRefusal) t.match(headers, /"www-authenticate":"Bearer realm=\\"scim\\"/, `${name}: says how`)
      }
      rows.push(row)
    }
    t.equal(
      (await scim('GET', '/Users')).body.Resources.some(({ id }: { id: string }) => id === user),
      false,
    )
  })

  t.test('the others are for anybody, and are no different with a credential', async (t) => {
    for (const { path, method } of routes.filter((route) => route.path in forAnybody)) {
      const row = [`${method} ${path}`]
      for (const [name, authorization] of Object.entries(columns)) {
        const { status } = await ask(url, method, pathOf(path), authorization)
        row.push(String(status))
        t.equal(status, forAnybody[path]?.[method], `${name}: ${method} ${path}`)
      }
      rows.push(row)
    }
  })

  t.test('the table', async (t) => {
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
    for (const row of rows) t.comment(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    t.equal(rows.length, routes.length + 1)
  })

  t.test('CVE-2025-4210: no other spelling of a path gets around the credential', async (t) => {
    const spellings = [
      '/scim/v2/Users/',
      '/scim/v2//Users',
      '//scim/v2/Users',
      '/scim//v2/Users',
      '/SCIM/V2/Users',
      '/Scim/v2/Users',
      '/scim/v2/users',
      '/scim/v2/USERS',
      '/api/scim/v2/Users',
      '/api/scim/Users',
      '/scim/Users',
      '/scim/v1/Users',
      '/Users',
      '/v2/Users',
      '/scim/v2/%55sers',
      '/%73cim/v2/Users',
      '/scim%2Fv2%2FUsers',
      '/scim%2fv2/Users',
      '/scim/v2/./Users',
      '/scim/v2/../v2/Users',
      '/healthz/../scim/v2/Users',
      '/healthz/..%2fscim/v2/Users',
      '/scim/v2/Users;x=y',
      '/scim/v2;/Users',
      '/scim/v2/Users%20',
      '/scim/v2/Users%00',
      '/scim/v2/Users%3F',
      '/scim/v2/Users?access_token=x',
      `/scim/v2/Users?access_token=${SCIM_TOKEN}`,
      '/scim/v2/Users#x',
      '\\scim\\v2\\Users',
      'http://localhost/scim/v2/Users',
      'http://localhost:1/scim/v2/Users',
      '*',
    ]
    const totals = async () => (await scim('GET', '/Users')).body.totalResults
    const before = await totals()
    for (const path of spellings) {
      for (const method of ['GET', 'POST']) {
        const { status } = await ask(url, method, path, undefined, bodyOf(method, '/Users'))
        t.ok([400, 401, 404].includes(status), `${method} ${path}: ${status}`)
      }
    }
    t.strictSame(await totals(), before, 'nothing was made')
  })
})

function expectedOf(
  name: string,
  path: string,
  method: string,
  expected: number,
  isRefusal: boolean,
): number {
  if (isRefusal) return 401
  const isRead = ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method)
  const isSearch = method === 'POST' && path.endsWith('/.search')
  // Nobody who may only read is told more about what he may not do.
  if (name === 'reader' && !isRead && !isSearch) return 403
  const isOfATenant = /\/(Users|Groups)\/:id$/.test(path)
  return name === 'other' && isOfATenant && expected < 300 ? 404 : expected
}
