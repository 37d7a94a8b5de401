import t from 'tap'
import {
  type Body,
  found,
  group,
  makeGroup,
  makeUser,
  patch,
  query,
  refused,
  startConformance,
  UNKNOWN_ID,
  USER,
  user,
} from './setup.ts'

const { url, tenant } = await startConformance(t)

t.test('RFC 7644 §3.12 (47): every error is SCIM’s, whoever refuses', async (t) => {
  const scim = await tenant()
  const ann = await makeUser(t, scim, 'r47')
  const anonymous = async (method: string, path: string, headers: Record<string, string>) => {
    const response = await fetch(`${url}/scim/v2${path}`, { method, headers })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
  }
  for (const path of [
    '/Users',
    `/Users/${ann.id}`,
    '/Nothing',
    '/ServiceProviderConfig',
    '/Bulk',
    '/Me',
    '/%E0%A4%A',
  ]) {
    for (const authorization of [undefined, 'Bearer wrong']) {
      const answer = await anonymous('GET', path, authorization === undefined ? {} : { authorization })
      if (path === '/%E0%A4%A') t.ok([400, 401].includes(answer.status), 'not even a URL')
      else refused(t, answer, 401, undefined, `${path} by '${authorization}'`)
      t.match(answer.headers.get('content-type'), 'application/scim+json')
    }
  }
  refused(t, await scim('GET', '/Nothing'), 404, undefined, 'no such endpoint')
  refused(t, await scim('GET', '/Users/x/y'), 404, undefined, 'nothing below a resource')
  refused(t, await scim('GET', '/users'), 404, undefined, 'endpoints are spelled as they are')
  for (const [method, path, allow] of [
    ['PUT', '/Users', /GET.*POST/],
    ['PATCH', '/Groups', /GET.*POST/],
    ['DELETE', '/Users', /GET.*POST/],
    ['POST', `/Users/${ann.id}`, /GET.*PUT.*PATCH.*DELETE/],
    ['POST', '/Schemas', /GET/],
    ['DELETE', '/ServiceProviderConfig', /GET/],
  ] as const) {
    const answer = await scim(method, path, method === 'DELETE' ? undefined : user('r47-x'))
    refused(t, answer, 405, undefined, `${method} ${path}`)
    t.match(answer.headers.get('allow'), allow, 'with what is allowed')
  }
  for (const type of [
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
  ]) {
    for (const [method, path] of [
      ['POST', '/Users'],
      ['PUT', `/Users/${ann.id}`],
      ['PATCH', `/Users/${ann.id}`],
    ] as const) {
      const answer = await scim(method, path, user('r47-x'), { 'content-type': type })
      refused(t, answer, 415, undefined, `${method} of ${type}`)
    }
  }
  const latin = { 'content-type': 'application/scim+json; charset=iso-8859-1' }
  refused(t, await scim('POST', '/Users', user('r47-x'), latin), 415, undefined, 'another charset')
  for (const [what, text] of Object.entries({
    nothing: '',
    'half an object': '{"schemas":',
    'no JSON': 'userName=x',
    'a trailing comma': '{"schemas":[],}',
    'a list': '[]',
    'a text': '"x"',
    'a number': '7',
    null: 'null',
    'a key that is the prototype': `{"schemas":["${USER}"],"userName":"r47-x","__proto__":{"active":false}}`,
  })) {
    refused(t, await scim('POST', '/Users', text), 400, 'invalidSyntax', `POST of ${what}`)
    refused(t, await scim('PUT', `/Users/${ann.id}`, text), 400, 'invalidSyntax', `PUT of ${what}`)
    refused(t, await scim('PATCH', `/Users/${ann.id}`, text), 400, 'invalidSyntax', `PATCH of ${what}`)
  }
  const huge = user('r47-x', { title: 'x'.repeat(9 * 1024 * 1024) })
  refused(t, await scim('POST', '/Users', huge), 413, undefined, 'too large')
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const body = method === 'GET' || method === 'DELETE' ? undefined : {}
    refused(t, await scim(method, '/Me', body), 501, undefined, `${method} /Me`)
  }

  refused(t, await scim('POST', '/Users', user('r47')), 409, 'uniqueness', 'a duplicate')
  refused(t, await scim('POST', '/Users', { userName: 'x' }), 400, 'invalidSyntax', 'no schemas')
  refused(t, await scim('POST', '/Users', { schemas: [USER] }), 400, 'invalidValue', 'no userName')
  refused(t, await scim('GET', `/Users${query({ filter: 'x' })}`), 400, 'invalidFilter', 'a filter')
  refused(t, await scim('GET', '/Users?startIndex=1&cursor'), 400, 'invalidValue', 'startIndex and cursor')
  refused(t, await scim('GET', '/Users?cursor=forged'), 400, 'invalidCursor', 'a cursor of nobody’s')
  const noRole = await scim('POST', '/Groups', group('No such role'))
  refused(t, noRole, 400, 'invalidValue', 'no role of this name')
  t.match(noRole.body.detail, 'No such role')
  const member = await scim('POST', '/Groups', group('Role 1', UNKNOWN_ID))
  refused(t, member, 400, 'invalidValue', 'an unknown member')
  t.match(member.body.detail, UNKNOWN_ID, 'is named')
  for (const body of [noRole.body, member.body])
    t.notMatch(JSON.stringify(body), /select |\.ts:|node_modules|at .*\(/i)
  t.strictSame((await scim('GET', '/Users')).body.Resources, [ann], 'none of it changed anything')
  t.equal((await scim('GET', '/Groups')).body.totalResults, 0)
})

t.test(
  'RFC 7644 §3.14, §3.8, §2, §3.11, §3.13 (48): versions, media types, challenges, /Me, /v2',
  async (t) => {
    await t.test('meta.version is the ETag, and weak', async (t) => {
      const scim = await tenant()
      const posted = await scim('POST', '/Users', user('r48'))
      const path = `/Users/${posted.body.id}`
      const versions: string[] = []
      const same = ({ body, headers }: { body: Body; headers: Headers }, what: string) => {
        t.match(body.meta.version, /^W\/"[^"]+"$/, `${what}: weak`)
        t.equal(headers.get('etag'), body.meta.version, `${what}: ETag`)
        versions.push(body.meta.version)
      }
      same(posted, 'POST')
      same(await scim('PUT', path, user('r48', { title: 'a' })), 'PUT')
      same(await scim('PATCH', path, patch({ op: 'replace', path: 'title', value: 'b' })), 'PATCH')
      t.equal(new Set(versions).size, 3, 'every change makes another one')
      const read = await scim('GET', path)
      same(read, 'GET')
      same(await scim('GET', path), 'GET again')
      t.equal(new Set(versions).size, 3, 'and nothing else does')
      t.equal((await scim('GET', '/Users')).body.Resources[0].meta.version, versions.at(-1), 'in a list too')

      const role = await makeGroup(t, scim, 'Role 2')
      const join = patch({ op: 'add', path: 'members', value: [{ value: posted.body.id }] })
      const joined = await scim('PATCH', `/Groups/${role.id}`, join)
      t.not(joined.headers.get('etag'), role.meta.version, 'a group changes with its members')
      const after = await scim('GET', `/Groups/${role.id}`)
      same(after, 'a group')
      t.equal(joined.headers.get('etag'), after.body.meta.version, '204 carries the new one')
      t.equal((await scim('GET', '/ServiceProviderConfig')).body.etag.supported, true)
    })

    await t.test('If-Match that does not match is 412 and changes nothing', async (t) => {
      const scim = await tenant()
      const ann = await makeUser(t, scim, 'r48', { title: 'a' })
      const role = await makeGroup(t, scim, 'Role 3')
      for (const [path, before, body] of [
        [`/Users/${ann.id}`, ann, user('r48', { title: 'b' })],
        [`/Groups/${role.id}`, role, group('Role 4')],
      ] as const) {
        for (const stale of ['W/"stale"', '"0"', 'W/"x", W/"y"']) {
          const headers = { 'if-match': stale }
          const change = patch({ op: 'replace', path: 'externalId', value: 'x' })
          refused(t, await scim('PUT', path, body, headers), 412, undefined, `PUT ${stale}`)
          refused(t, await scim('PATCH', path, change, headers), 412, undefined, `PATCH ${stale}`)
          refused(t, await scim('DELETE', path, undefined, headers), 412, undefined, `DELETE ${stale}`)
        }
        t.strictSame((await scim('GET', path)).body, before)
        const put = await scim('PUT', path, body, { 'if-match': before.meta.version })
        t.equal(put.status, 200, 'one that matches')
        const again = await scim('PUT', path, body, { 'if-match': before.meta.version })
        refused(t, again, 412, undefined, 'what matched before the change')
        const listed = { 'if-match': `W/"x", ${put.body.meta.version}` }
        const change = patch({ op: 'replace', path: 'externalId', value: 'y' })
        t.ok((await scim('PATCH', path, change, listed)).status < 300, 'one of several')
        t.equal((await scim('DELETE', path, undefined, { 'if-match': '*' })).status, 204, '* is any')
      }
    })

    await t.test('If-None-Match that matches is 304', async (t) => {
      const scim = await tenant()
      const ann = await makeUser(t, scim, 'r48')
      const path = `/Users/${ann.id}`
      const { version } = ann.meta
      for (const matching of [version, '*', `W/"x", ${version}`, version.replace('W/', '')]) {
        const answer = await scim('GET', path, undefined, { 'if-none-match': matching })
        t.equal(answer.status, 304, matching)
        t.equal(answer.body, undefined, 'no body')
        t.equal(answer.headers.get('etag'), version)
      }
      const other = await scim('GET', path, undefined, { 'if-none-match': 'W/"x"' })
      t.match(other, { status: 200, body: ann })
      await scim('PATCH', path, patch({ op: 'replace', path: 'title', value: 'b' }))
      t.equal(
        (await scim('GET', path, undefined, { 'if-none-match': version })).status,
        200,
        'after a change',
      )
      const unknown = await scim('GET', `/Users/${UNKNOWN_ID}`, undefined, { 'if-none-match': '*' })
      refused(t, unknown, 404, undefined, 'what is not there is not unmodified')
    })

    await t.test('both media types are taken, one is answered', async (t) => {
      const scim = await tenant()
      for (const [index, type] of [
        'application/scim+json',
        'application/json',
        'application/scim+json; charset=utf-8',
        'application/scim+json;charset=UTF-8',
        'application/json; charset="utf-8"',
        'Application/SCIM+JSON; Charset=Utf8',
        'APPLICATION/JSON',
      ].entries()) {
        const posted = await scim('POST', '/Users', user(`r48-${index}`), { 'content-type': type })
        t.equal(posted.status, 201, type)
        t.equal(posted.headers.get('content-type'), 'application/scim+json', type)
      }
      for (const accept of [
        'application/scim+json',
        'application/json',
        '*/*',
        'application/scim+json, application/json;q=0.5',
      ]) {
        const listed = await scim('GET', '/Users', undefined, { accept })
        t.equal(listed.status, 200, accept)
        t.equal(listed.headers.get('content-type'), 'application/scim+json', accept)
      }
      const typed = { 'content-type': 'application/scim+json' }
      t.equal(
        (await scim('GET', '/Users', undefined, typed)).status,
        200,
        'GET with a Content-Type and no body',
      )
      const [{ id }] = (await scim('GET', '/Users?count=1')).body.Resources
      t.equal((await scim('DELETE', `/Users/${id}`, undefined, typed)).status, 204, 'and DELETE')
      const unicode = await scim('POST', '/Users', user('r48-unicode', { displayName: 'Zoë 😀 日本' }))
      t.equal(unicode.body.displayName, 'Zoë 😀 日本', 'UTF-8 there and back')
      t.strictSame(await found(scim, 'displayName eq "Zoë 😀 日本"'), ['r48-unicode'])
    })

    await t.test('401 challenges, /Me is 501, the prefix is /v2', async (t) => {
      const scim = await tenant()
      for (const authorization of [undefined, 'Bearer wrong', 'Basic eDp5']) {
        const response = await fetch(`${url}/scim/v2/Users`, {
          headers: authorization === undefined ? {} : { authorization },
        })
        t.equal(response.status, 401)
        t.match(response.headers.get('www-authenticate'), /^Bearer\b/)
      }
      refused(t, await scim('GET', '/Me'), 501, undefined, '/Me')
      const ann = await makeUser(t, scim, 'r48')
      t.match(ann.meta.location, `${url}/scim/v2/Users/`)
      t.equal((await scim('GET', '/Users/')).status, 200, 'a trailing slash is nothing')
      t.equal((await scim('GET', '//Users')).status, 200, 'nor is a doubled one')
    })
  },
)
