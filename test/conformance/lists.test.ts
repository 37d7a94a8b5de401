import t from 'tap'
import {
  type Body,
  ENTERPRISE,
  found,
  group,
  LIST_RESPONSE,
  makeGroup,
  makeUser,
  namesOf,
  patch,
  query,
  refused,
  SEARCH_REQUEST,
  startConformance,
  UNKNOWN_ID,
  user,
} from './setup.ts'

const { tenant } = await startConformance(t)

t.test('RFC 7644 §3.4.2 (1): no match is 200 and totalResults 0, never 404', async (t) => {
  const scim = await tenant()
  await makeUser(t, scim, 'r1')
  const filters: [string, string][] = [
    ['/Users', `userName eq "${UNKNOWN_ID}"`],
    ['/Users', `externalId eq "${UNKNOWN_ID}"`],
    ['/Users', `id eq "${UNKNOWN_ID}"`],
    ['/Users', 'emails[type eq "work"].value eq "nobody@example.com"'],
    ['/Groups', `displayName eq "${UNKNOWN_ID}"`],
    ['/Groups', 'displayName eq "no role of this name"'],
  ]
  for (const [endpoint, filter] of filters) {
    const { status, headers, body } = await scim('GET', `${endpoint}${query({ filter })}`)
    t.equal(status, 200, filter)
    t.equal(headers.get('content-type'), 'application/scim+json')
    t.strictSame(body.schemas, [LIST_RESPONSE])
    t.equal(body.totalResults, 0)
  }
  const asSentByEntra = await scim('GET', `/Users?filter=userName+eq+%22${UNKNOWN_ID}%22`)
  t.match(asSentByEntra, { status: 200, body: { totalResults: 0 } }, 'a plus is a space')
  const probe = await scim('GET', '/Groups')
  t.match(probe, { status: 200, body: { totalResults: 0 } }, 'nor is an empty directory')
})

t.test('RFC 7644 §3.4.2 (2): Resources is there even when it is empty', async (t) => {
  const scim = await tenant()
  t.strictSame((await scim('GET', '/Users')).body.Resources, [], 'nobody there')
  t.strictSame((await scim('GET', '/Groups')).body.Resources, [], 'no group there')
  await makeUser(t, scim, 'r2')
  const empty = {
    'no match': { filter: 'userName eq "nobody"' },
    'count 0': { count: '0' },
    'beyond the end': { startIndex: '2' },
  }
  for (const [what, parameters] of Object.entries(empty)) {
    t.strictSame((await scim('GET', `/Users${query(parameters)}`)).body.Resources, [], what)
  }
})

t.test('RFC 7644 §3.4.2 (3): totalResults counts all, itemsPerPage counts this page', async (t) => {
  const scim = await tenant()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await makeUser(t, scim, `r3-${name}`, { title: name })
  await makeUser(t, scim, 'other')
  const seen: string[] = []
  for (const startIndex of [1, 3, 5]) {
    const { body } = await scim(
      'GET',
      `/Users${query({ filter: 'userName sw "r3-"', startIndex: `${startIndex}`, count: '2' })}`,
    )
    t.strictSame(
      [body.totalResults, body.startIndex, body.itemsPerPage, body.Resources.length],
      [5, startIndex, startIndex === 5 ? 1 : 2, startIndex === 5 ? 1 : 2],
      `from ${startIndex}`,
    )
    seen.push(...namesOf(body))
  }
  t.strictSame(seen.sort(), ['r3-a', 'r3-b', 'r3-c', 'r3-d', 'r3-e'], 'every one on exactly one page')
  const whole = (await scim('GET', '/Users')).body
  t.match(whole, { totalResults: 6, startIndex: 1, itemsPerPage: 6 })
})

t.test(
  'RFC 7644 §3.4.2.4 (4): startIndex below 1 means 1; beyond the end: an empty page and the true total',
  async (t) => {
    const scim = await tenant()
    for (const name of ['a', 'b', 'c']) await makeUser(t, scim, `r4-${name}`)
    const first = namesOf((await scim('GET', '/Users?startIndex=1&count=1')).body)
    for (const startIndex of ['0', '-1', '-99999']) {
      const { status, body } = await scim('GET', `/Users${query({ startIndex, count: '1' })}`)
      t.equal(status, 200, `startIndex=${startIndex}`)
      t.equal(body.startIndex, 1)
      t.strictSame(namesOf(body), first)
      t.equal(body.totalResults, 3)
    }
    for (const startIndex of ['4', '5', '100000', '9007199254740991']) {
      const { status, body } = await scim('GET', `/Users${query({ startIndex })}`)
      t.equal(status, 200, `startIndex=${startIndex}`)
      t.strictSame([body.totalResults, body.itemsPerPage, body.Resources], [3, 0, []])
    }
    t.equal((await scim('GET', '/Users?startIndex=3')).body.Resources.length, 1, 'the last one is not beyond')
  },
)

t.test(
  'RFC 7644 §3.4.2.4 (5): count 0 gives totals only, a negative one means 0, and no page exceeds it',
  async (t) => {
    const scim = await tenant()
    const names = Array.from({ length: 101 }, (_, index) => `r5-${index}`)
    await Promise.all(names.map((name) => makeUser(t, scim, name)))
    for (const count of ['0', '-1', '-50']) {
      const { status, body } = await scim('GET', `/Users${query({ count })}`)
      t.equal(status, 200, `count=${count}`)
      t.strictSame([body.totalResults, body.itemsPerPage, body.Resources], [101, 0, []])
    }
    const counted = await scim(
      'GET',
      `/Users${query({ count: '0', filter: 'userName eq "R5-7@example.com"' })}`,
    )
    t.match(counted.body, { totalResults: 1, itemsPerPage: 0 }, 'the total is that of the filter')
    for (const [count, size] of [
      ['1', 1],
      ['7', 7],
      ['101', 101],
      ['1000', 101],
      ['100000', 101],
    ] as const) {
      t.equal((await scim('GET', `/Users${query({ count })}`)).body.Resources.length, size, `count=${count}`)
    }
    const page = (await scim('GET', '/Users')).body
    t.match(page, { totalResults: 101, itemsPerPage: 100 }, 'the default is 100')
    t.equal(page.Resources.length, 100)
    t.equal((await scim('GET', '/ServiceProviderConfig')).body.filter.maxResults, 1000)
  },
)

t.test('RFC 7644 §3.4.2 (6): unknown query parameters are ignored', async (t) => {
  const scim = await tenant()
  const unknown = 'aadOptscim062020&colour=blue&page=9'
  const ann = await scim('POST', `/Users?${unknown}`, user('r6'))
  t.equal(ann.status, 201)
  const path = `/Users/${ann.body.id}?${unknown}`
  t.equal((await scim('GET', path)).body.userName, 'r6@example.com')
  t.equal((await scim('GET', `/Users?${unknown}`)).body.totalResults, 1)
  t.equal((await scim('PUT', path, user('r6', { title: 'x' }))).body.title, 'x')
  const patched = await scim('PATCH', path, patch({ op: 'replace', path: 'title', value: 'y' }))
  t.match(patched, { status: 200, body: { title: 'y' } })
  t.equal((await scim('DELETE', path)).status, 204)
  const role = await scim('POST', `/Groups?${unknown}`, group('Role 1'))
  const renamed = await scim(
    'PATCH',
    `/Groups/${role.body.id}?${unknown}`,
    patch({ op: 'replace', path: 'displayName', value: 'Role 2' }),
  )
  t.equal(renamed.status, 204, 'an unknown one does not ask for a body either')
})

t.test(
  'RFC 7644 §3.4.2.1 (7): the root searches every type; what a type does not define has no value',
  async (t) => {
    const scim = await tenant()
    const ann = await makeUser(t, scim, 'r7-ann', { displayName: 'Role 3', title: 'Lead' })
    const bob = await makeUser(t, scim, 'r7-bob', { displayName: 'Bob' })
    await makeGroup(t, scim, 'Role 3', ann.id)
    await makeGroup(t, scim, 'Role 4')
    const everywhere = async (filter: string) => (await found(scim, filter, '/')) as string[]

    t.strictSame(await everywhere('displayName eq "role 3"'), ['Role 3', 'r7-ann'], 'users and groups')
    t.strictSame(await everywhere('userName sw "r7-"'), ['r7-ann', 'r7-bob'], 'groups have no userName')
    t.strictSame(await everywhere('not (userName pr)'), ['Role 3', 'Role 4'])
    t.strictSame(await everywhere('title eq "lead" or displayName eq "Role 4"'), ['Role 4', 'r7-ann'])
    t.strictSame(await everywhere(`members[value eq "${ann.id}"]`), ['Role 3'])
    t.strictSame(await everywhere('meta.resourceType eq "Group"'), ['Role 3', 'Role 4'])
    t.strictSame(await everywhere(`id eq "${bob.id}"`), ['r7-bob'])
    t.strictSame(await everywhere('noSuchAttribute eq "x"'), [], 'defined nowhere: no value anywhere')
    refused(
      t,
      await scim('GET', `/${query({ filter: 'userName xx "a"' })}`),
      400,
      'invalidFilter',
      'nonsense',
    )

    const filter = 'displayName pr'
    const pages: Body[] = []
    for (const startIndex of ['1', '3']) {
      pages.push((await scim('GET', `/${query({ filter, startIndex, count: '2' })}`)).body)
    }
    t.strictSame(
      pages.map((page) => [page.totalResults, page.itemsPerPage]),
      [
        [4, 2],
        [4, 2],
      ],
      'one list over both types',
    )
    t.strictSame(pages.flatMap(namesOf).sort(), ['Role 3', 'Role 4', 'r7-ann', 'r7-bob'])

    const posted = await scim('POST', '/.search', {
      schemas: [SEARCH_REQUEST],
      filter: 'displayName eq "Role 3"',
    })
    t.equal(posted.status, 200)
    t.strictSame(namesOf(posted.body).sort(), ['Role 3', 'r7-ann'])
    const many = await scim('GET', `/${query({ filter: 'id pr', count: '100000' })}`)
    t.equal(many.status, 200, 'a page limits what is returned: nothing here is too many')
  },
)

t.test(
  'RFC 7644 §3.4.2.3 (18): missing values last ascending, first descending; primary value; case',
  async (t) => {
    const scim = await tenant()
    const address = (value: string, primary = false) => ({
      value: `${value}@example.com`,
      type: value,
      primary,
    })
    await makeUser(t, scim, 'r18-1', {
      title: 'banana',
      externalId: 'a',
      name: { familyName: 'young' },
      emails: [address('z'), address('a', true)],
    })
    await makeUser(t, scim, 'r18-2', { externalId: 'B', emails: [address('c'), address('b')] })
    await makeUser(t, scim, 'r18-3', {
      title: 'Cherry',
      externalId: 'c',
      name: { familyName: 'Adams' },
      emails: [address('a'), address('m', true)],
    })
    await makeUser(t, scim, 'r18-4', { title: 'APPLE', externalId: 'D', name: { familyName: 'Miller' } })
    const sorted = async (parameters: Record<string, string>) =>
      namesOf((await scim('GET', `/Users${query({ filter: 'userName sw "r18-"', ...parameters })}`)).body)
        .map((name) => name.slice(-1))
        .join('')

    t.equal(await sorted({ sortBy: 'title' }), '4132', 'ascending by default, without case, missing last')
    t.equal(await sorted({ sortBy: 'TITLE', sortOrder: 'ascending' }), '4132')
    t.equal(await sorted({ sortBy: 'title', sortOrder: 'descending' }), '2314', 'missing first')
    t.equal(await sorted({ sortBy: 'externalId' }), '2413', 'caseExact: B, D, a, c')
    t.equal(await sorted({ sortBy: 'name.familyName' }), '3412')
    t.equal(await sorted({ sortBy: 'name.familyName', sortOrder: 'descending' }), '2143')
    t.equal(await sorted({ sortBy: 'emails.value' }), '1234', 'by a (primary), c (first), m (primary), none')
    t.equal(await sorted({ sortBy: 'emails' }), '1234')
    t.equal(await sorted({ sortBy: 'meta.created', sortOrder: 'descending' }), '4321')
    t.equal(await sorted({ sortBy: 'urn:ietf:params:scim:schemas:core:2.0:User:userName' }), '1234')

    t.equal(await sorted({ sortBy: 'title', count: '2' }), '41', 'sorted before it is paged')
    t.equal(await sorted({ sortBy: 'title', startIndex: '3', count: '2' }), '32')
    const searched = await scim('POST', '/Users/.search', {
      schemas: [SEARCH_REQUEST],
      sortBy: 'title',
      sortOrder: 'descending',
    })
    t.strictSame(namesOf(searched.body), ['r18-2', 'r18-3', 'r18-1', 'r18-4'])
    for (const role of ['Role 7', 'Role 5', 'Role 6']) await makeGroup(t, scim, role)
    const groups = await scim('GET', '/Groups?sortBy=displayName&sortOrder=descending')
    t.strictSame(namesOf(groups.body), ['Role 7', 'Role 6', 'Role 5'])
    t.equal((await scim('GET', '/ServiceProviderConfig')).body.sort.supported, true)
  },
)

t.test(
  'RFC 7644 §3.4.2.5, §3.9 (19): attributes and excludedAttributes, on every answer; id always, password never',
  async (t) => {
    const scim = await tenant()
    const body = user('r19', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', ENTERPRISE],
      displayName: 'Ann',
      title: 'Lead',
      password: 'r19-Secret',
      name: { givenName: 'Ann', familyName: 'Adams' },
      emails: [{ value: 'ann@example.com', type: 'work', primary: true }],
      [ENTERPRISE]: { department: 'Sales', costCenter: '7' },
    })
    const without = (answer: Body) => {
      const { schemas, ...rest } = answer ?? {}
      return rest
    }
    const posted = await scim('POST', '/Users?attributes=userName', body)
    const { id } = posted.body
    t.equal(posted.status, 201)
    t.strictSame(without(posted.body), { id, userName: 'r19@example.com' }, 'POST')
    const get = async (parameters: Record<string, string>) =>
      without((await scim('GET', `/Users/${id}${query(parameters)}`)).body)
    t.strictSame(await get({ attributes: 'title' }), { id, title: 'Lead' })
    t.strictSame(await get({ attributes: 'TITLE, displayname' }), { id, title: 'Lead', displayName: 'Ann' })
    t.strictSame(await get({ attributes: 'name.familyName' }), { id, name: { familyName: 'Adams' } })
    t.strictSame(await get({ attributes: 'emails.value' }), { id, emails: [{ value: 'ann@example.com' }] })
    t.strictSame(await get({ attributes: `${ENTERPRISE}:department` }), {
      id,
      [ENTERPRISE]: { department: 'Sales' },
    })
    t.strictSame(await get({ attributes: 'urn:ietf:params:scim:schemas:core:2.0:User:title' }), {
      id,
      title: 'Lead',
    })
    t.strictSame(await get({ attributes: 'password' }), { id }, 'never, even if asked')
    t.strictSame(await get({ attributes: 'password,title' }), { id, title: 'Lead' })
    t.strictSame(await get({ attributes: 'noSuchAttribute' }), { id })

    const all = await get({})
    t.equal(all.password, undefined)
    const { title: _, ...withoutTitle } = all
    t.strictSame(await get({ excludedAttributes: 'title' }), withoutTitle)
    t.strictSame(await get({ excludedAttributes: 'Title,ID' }), withoutTitle, 'id is returned always')
    t.strictSame((await get({ excludedAttributes: 'name.familyName' })).name, { givenName: 'Ann' })
    t.strictSame((await get({ excludedAttributes: `${ENTERPRISE}:costCenter` }))[ENTERPRISE], {
      department: 'Sales',
    })
    const both = query({ attributes: 'title', excludedAttributes: 'name' })
    refused(t, await scim('GET', `/Users/${id}${both}`), 400, undefined, 'both, of one')
    refused(t, await scim('GET', `/Users${both}`), 400, undefined, 'both, of a list')

    const [listed] = (await scim('GET', '/Users?attributes=userName')).body.Resources
    t.strictSame(without(listed), { id, userName: 'r19@example.com' }, 'list')
    const replaced = await scim('PUT', `/Users/${id}?attributes=displayName`, body)
    t.strictSame(without(replaced.body), { id, displayName: 'Ann' }, 'PUT')
    const operation = patch({ op: 'replace', path: 'title', value: 'Boss' })
    const patched = await scim('PATCH', `/Users/${id}?attributes=title`, operation)
    t.equal(patched.status, 200)
    t.strictSame(without(patched.body), { id, title: 'Boss' }, 'PATCH')
    const trimmed = await scim('PATCH', `/Users/${id}?excludedAttributes=title`, operation)
    t.match(trimmed, { status: 200, body: { id, displayName: 'Ann' } })
    t.equal(trimmed.body.title, undefined)
    const searched = await scim('POST', '/Users/.search', {
      schemas: [SEARCH_REQUEST],
      attributes: ['title'],
    })
    t.strictSame(searched.body.Resources?.map(without), [{ id, title: 'Boss' }], 'search')

    const role = await makeGroup(t, scim, 'Role 8', id)
    t.equal(role.members.length, 1)
    const bare = (await scim('GET', `/Groups/${role.id}?excludedAttributes=members`)).body
    t.equal(bare.members, undefined)
    t.equal(bare.displayName, 'Role 8')
    const members = (await scim('GET', '/Groups?attributes=members.value')).body.Resources
    t.strictSame(members.map(without), [{ id: role.id, members: [{ value: id }] }])
  },
)

t.test('RFC 7644 §3.4.3 (20): /.search wants a SearchRequest and answers 200', async (t) => {
  const scim = await tenant()
  for (const name of ['a', 'b', 'c']) await makeUser(t, scim, `r20-${name}`, { title: name, nickName: name })
  await makeGroup(t, scim, 'Role 9')
  const search = (endpoint: string, more: object) =>
    scim('POST', `${endpoint}/.search`, { schemas: [SEARCH_REQUEST], ...more })

  for (const [endpoint, total] of [
    ['', 4],
    ['/Users', 3],
    ['/Groups', 1],
  ] as const) {
    const all = await search(endpoint, {})
    t.equal(all.status, 200, `${endpoint}/.search`)
    t.equal(all.headers.get('content-type'), 'application/scim+json')
    t.equal(all.headers.get('location'), null, 'nothing was created')
    t.match(all.body, { schemas: [LIST_RESPONSE], totalResults: total })
    for (const [what, body] of Object.entries({
      'no schemas': {},
      'empty schemas': { schemas: [] },
      'schemas of something else': { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'] },
    })) {
      refused(
        t,
        await scim('POST', `${endpoint}/.search`, body),
        400,
        'invalidSyntax',
        `${endpoint}: ${what}`,
      )
    }
    const wrong = await search(endpoint, { filter: 'title xx "a"' })
    refused(t, wrong, 400, 'invalidFilter', `${endpoint}: a wrong filter`)
  }
  const page = await search('/Users', {
    filter: 'TITLE pr',
    sortBy: 'title',
    startIndex: 2,
    count: 1,
    attributes: ['title', 'userName'],
  })
  t.match(page.body, { totalResults: 3, startIndex: 2, itemsPerPage: 1 })
  const [second] = page.body.Resources ?? []
  t.match(second, { title: 'b', userName: 'r20-b@example.com' })
  t.equal(second?.nickName, undefined)
  const excluding = await search('/Users', { filter: 'title eq "a"', excludedAttributes: ['nickName'] })
  t.match(excluding.body.Resources?.[0], { title: 'a' })
  t.equal(excluding.body.Resources?.[0]?.nickName, undefined)
  t.match((await search('/Users', { count: 0 })).body, { totalResults: 3, Resources: [] })
  t.match((await search('/Users', { filter: 'title eq "none"' })).body, { totalResults: 0, Resources: [] })
  const both = await search('/Users', { attributes: ['title'], excludedAttributes: ['name'] })
  refused(t, both, 400, undefined, 'both')
})

t.test(
  'RFC 7644 §4 (21): discovery is a ListResponse or one bare object, unsorted, unpaged; a filter is 403',
  async (t) => {
    const scim = await tenant()
    for (const endpoint of ['/Schemas', '/ResourceTypes']) {
      const { status, headers, body } = await scim('GET', endpoint)
      t.equal(status, 200)
      t.equal(headers.get('content-type'), 'application/scim+json')
      t.strictSame(body.schemas, [LIST_RESPONSE])
      t.equal(body.totalResults, body.Resources.length)
      t.ok(body.totalResults >= 2)
      for (const ignored of [
        'startIndex=2&count=1',
        'count=0',
        'sortBy=id&sortOrder=descending',
        'startIndex=99',
      ]) {
        t.strictSame((await scim('GET', `${endpoint}?${ignored}`)).body.Resources, body.Resources, ignored)
      }
      const filtered = await scim('GET', `${endpoint}${query({ filter: 'id eq "User"' })}`)
      refused(t, filtered, 403, undefined, `${endpoint}: a filter`)
      for (const each of body.Resources) {
        const one = await scim('GET', `${endpoint}/${each.id}`)
        t.equal(one.status, 200, `${endpoint}/${each.id}`)
        t.strictSame(one.body, each, 'bare, as in the list')
        t.match(one.body.meta, { location: RegExp(`/scim/v2${endpoint}/${each.id}$`) })
      }
      refused(t, await scim('GET', `${endpoint}/NoSuch`), 404, undefined, `${endpoint}: an unknown one`)
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const body = method === 'DELETE' ? undefined : {}
        refused(t, await scim(method, endpoint, body), 405, undefined, `${method} ${endpoint}`)
      }
    }
    const config = await scim('GET', '/ServiceProviderConfig')
    t.strictSame(config.body.schemas, ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'])
    t.equal(config.body.Resources, undefined, 'the configuration is one object')
  },
)
