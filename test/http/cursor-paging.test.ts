import t from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { groupBody, scimClient, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

const SEARCH_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'
const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'

type Resource = { id: string; userName: string }

t.test('RFC 9865: pages by cursor', async (t) => {
  const { scim, url, database } = await startTestService(t)
  for (const name of ['ann', 'bob', 'cleo', 'dan', 'eve']) await scim('POST', '/Users', userBody(name))
  await scim('POST', '/Groups', groupBody('Campaign Editor'))
  const names = (body: { Resources: Resource[] }) =>
    body.Resources.map(({ userName }) => userName.split('@')[0])
  const next = async (path: string) => (await scim('GET', path)).body.nextCursor as string

  await t.test(
    'the first request has a cursor without a value; the last page has no nextCursor',
    async (t) => {
      for (const first of ['cursor', 'cursor=']) {
        const one = await scim('GET', `/Users?${first}&count=2`)
        t.equal(one.status, 200)
        t.strictSame(names(one.body), ['ann', 'bob'])
        t.match(one.body, { totalResults: 5, itemsPerPage: 2 })
        t.notOk('startIndex' in one.body)
        t.notOk('previousCursor' in one.body)
        const two = await scim('GET', `/Users?cursor=${one.body.nextCursor}&count=2`)
        t.strictSame(names(two.body), ['cleo', 'dan'])
        const three = await scim('GET', `/Users?cursor=${two.body.nextCursor}`)
        t.strictSame(names(three.body), ['eve'], 'the count is that of the first request')
        t.notOk('nextCursor' in three.body)
      }
    },
  )

  await t.test('a page that ends the list exactly is the last one', async (t) => {
    const one = await scim('GET', '/Users?cursor&count=5')
    t.equal(one.body.Resources.length, 5)
    t.notOk('nextCursor' in one.body)
    t.notOk('nextCursor' in (await scim('GET', '/Users?cursor')).body)
  })

  await t.test('count 0 and below gives the total alone; a large one is capped', async (t) => {
    for (const count of ['0', '-3']) {
      const { status, body } = await scim('GET', `/Users?cursor&count=${count}`)
      t.equal(status, 200)
      t.strictSame([body.totalResults, body.itemsPerPage, body.Resources], [5, 0, []])
      t.notOk('nextCursor' in body)
    }
    t.equal((await scim('GET', '/Users?cursor&count=100000')).status, 200)
  })

  await t.test('index paging stays the default', async (t) => {
    const { body } = await scim('GET', '/Users?count=2')
    t.equal(body.startIndex, 1)
    t.notOk('nextCursor' in body)
  })

  await t.test('what must not be asked', async (t) => {
    const cursor = await next('/Users?cursor&count=2&filter=active+eq+true')
    const filtered = `count=2&filter=active+eq+true&cursor=${cursor}`
    const cases: [string, string][] = [
      [`/Users?${filtered.replace('count=2', 'count=3')}`, 'invalidCount'],
      [`/Users?count=2&cursor=${cursor}`, 'invalidCursor'],
      [`/Users?${filtered.replace('true', 'false')}`, 'invalidCursor'],
      [`/Users?${filtered}&sortBy=userName`, 'invalidCursor'],
      [`/Users?${filtered}&attributes=userName`, 'invalidCursor'],
      [`/Groups?${filtered.replace('active+eq+true', 'displayName+pr')}`, 'invalidCursor'],
      [`/Users?${filtered}x`, 'invalidCursor'],
      ['/Users?cursor=nonsense', 'invalidCursor'],
      ['/Users?cursor=%00', 'invalidCursor'],
      [`/Users?${filtered}&startIndex=1`, 'invalidValue'],
      ['/Users?cursor&startIndex=1', 'invalidValue'],
      ['/Users?cursor=a&cursor=b', 'invalidValue'],
      ['/Users?cursor&count=two', 'invalidValue'],
    ]
    for (const [path, scimType] of cases) {
      const { status, body } = await scim('GET', path)
      t.match({ status, scimType: body.scimType }, { status: 400, scimType }, path)
    }
    t.equal((await scim('GET', `/Users?${filtered}`)).status, 200, 'the cursor itself is a right one')
  })

  await t.test('a cursor of one tenant is none in another', async (t) => {
    await createTenant(database.db, 'other')
    const other = scimClient(url, (await issueToken(database.db, 'other', 'test', undefined))?.token ?? '')
    await other('POST', '/Users', userBody('mallory'))
    const cursor = await next('/Users?cursor&count=2')
    const { status, body } = await other('GET', `/Users?count=2&cursor=${cursor}`)
    t.match({ status, body }, { status: 400, body: { scimType: 'invalidCursor' } })
  })

  await t.test('in search requests, sorted, of all types together', async (t) => {
    const seen: string[] = []
    let cursor: string | undefined = ''
    while (cursor !== undefined) {
      const request = {
        schemas: [SEARCH_REQUEST],
        sortBy: 'displayName',
        sortOrder: 'descending',
        attributes: ['displayName'],
        count: 2,
        cursor,
      }
      const { status, body } = await scim('POST', '/.search', request)
      t.equal(status, 200)
      seen.push(...body.Resources.map(({ displayName }: { displayName: string }) => displayName))
      cursor = body.nextCursor
    }
    t.strictSame(seen, ['eve', 'dan', 'cleo', 'Campaign Editor', 'bob', 'ann'])
  })
})

t.test('a walk over 400 users, while 40 leave and 40 come, meets everybody else exactly once', async (t) => {
  const { scim } = await startTestService(t)
  const bulk = async (operations: object[]) => {
    const { status, body } = await scim('POST', '/Bulk', {
      schemas: [BULK_REQUEST],
      Operations: operations,
    })
    t.equal(status, 200)
    t.ok(body.Operations.every(({ status }: { status: string }) => status === '201' || status === '204'))
    return body.Operations.map(({ location }: { location: string }) => location.split('/').at(-1)) as string[]
  }
  const create = (from: number, count: number) =>
    bulk(
      Array.from({ length: count }, (_, index) => ({
        method: 'POST',
        path: '/Users',
        bulkId: `${index}`,
        data: userBody(`user-${String(((from + index) * 7919) % 10_007).padStart(5, '0')}`),
      })),
    )
  const remove = (ids: readonly string[]) =>
    bulk(ids.map((id) => ({ method: 'DELETE', path: `/Users/${id}` })))
  const ids = await create(0, 400)

  for (const [index, order] of ['', '&sortBy=userName', '&sortBy=userName&sortOrder=descending'].entries()) {
    await t.test(`in the order of ${order === '' ? 'creation' : order.slice(1)}`, async (t) => {
      // Every tenth user, another tenth in each walk: some before, some behind the place the walk has reached.
      const leaving = ids.filter((_id, place) => place % 10 === index)
      const untouched = ids.filter((_id, place) => place % 10 > index)
      const seen = new Map<string, number>()
      let path: string | undefined = `/Users?attributes=id&count=20${order}&cursor=`
      let pages = 0
      while (path) {
        const { status, body }: { status: number; body: { Resources: Resource[]; nextCursor?: string } } =
          await scim('GET', path)
        t.equal(status, 200)
        for (const { id } of body.Resources) seen.set(id, (seen.get(id) ?? 0) + 1)
        path = body.nextCursor && `/Users?attributes=id&count=20${order}&cursor=${body.nextCursor}`
        if (++pages > 10) continue
        await remove(leaving.splice(0, 2))
        await remove(leaving.splice(-2))
        await create(400 + index * 40 + pages * 4 - 4, 4)
      }
      t.ok(pages > 10 && leaving.length === 0, `${pages} pages; 40 left meanwhile`)
      t.strictSame(
        untouched.filter((id) => seen.get(id) !== 1),
        [],
      )
      t.strictSame(
        [...seen.values()].filter((times) => times > 1),
        [],
        'nobody is met twice',
      )
    })
  }
})
