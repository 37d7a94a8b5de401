import t from 'tap'
import { runBulk } from '../../src/http/bulk.ts'
import { readBulkRequest } from '../../src/scim/bulk.ts'
import { groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const bulk = (operations: readonly object[], rest: object = {}) => ({
  schemas: [BULK_REQUEST],
  Operations: operations,
  ...rest,
})
const create = (path: string, bulkId: string, data: object) => ({ method: 'POST', path, bulkId, data })
const managed = (name: string, manager: string, more: object = {}) =>
  userBody(name, { [ENTERPRISE]: { manager: { value: manager } }, ...more })

type Result = { status: string; location?: string; response?: { detail: string } }
const statuses = (body: { Operations: Result[] }) => body.Operations.map(({ status }) => status)

t.test('bulk requests reach Campaign Manager', async (t) => {
  const { scim, settle, accounts } = await startTestService(t)
  const total = async (path: string) => (await scim('GET', path)).body.totalResults

  await t.test('a group before its members, and a change of it by reference', async (t) => {
    const operations = [
      create('/Groups', 'group', {
        ...groupBody('Campaign Editor'),
        members: [{ value: 'bulkId:ann' }, { value: 'bulkId:bob' }],
      }),
      create('/Users', 'ann', userBody('ann')),
      create('/Users', 'bob', managed('bob', 'bulkId:ann')),
      {
        method: 'PATCH',
        path: '/Groups/bulkId:group',
        data: patchBody({ op: 'remove', path: 'members[value eq "bulkId:bob"]' }),
      },
    ]
    const { status, body } = await scim('POST', '/Bulk', bulk(operations))
    t.equal(status, 200)
    t.strictSame(statuses(body), ['201', '201', '201', '204'])
    await settle()
    t.strictSame(accounts(), { 'ann@example.com': ['Campaign Editor'] })
  })

  await t.test('a circle through a group', async (t) => {
    const operations = [
      create('/Groups', 'group', { ...groupBody('Campaign Viewer'), members: [{ value: 'bulkId:cleo' }] }),
      create('/Users', 'cleo', managed('cleo', 'bulkId:group')),
    ]
    t.strictSame(statuses((await scim('POST', '/Bulk', bulk(operations))).body), ['201', '201'])
    await settle()
    t.strictSame(accounts()['cleo@example.com'], ['Campaign Viewer'])
  })

  await t.test(
    'a circle of which one cannot be created leaves nothing of it, and fails what refers to it',
    async (t) => {
      const before = [await total('/Users'), await total('/Groups')]
      const operations = [
        create('/Users', 'dan', managed('dan', 'bulkId:eve')),
        create('/Users', 'eve', managed('eve', 'bulkId:dan', { userName: 'ANN@example.com' })),
        create('/Users', 'fay', managed('fay', 'bulkId:dan')),
        create('/Groups', 'unknown', groupBody('No Such Role')),
        create('/Groups', 'circle', { ...groupBody('No Such Role'), members: [{ value: 'bulkId:gil' }] }),
        create('/Users', 'gil', managed('gil', 'bulkId:circle')),
        create('/Users', 'hal', managed('hal', 'bulkId:nobody')),
      ]
      const { body } = await scim('POST', '/Bulk', bulk(operations))
      t.strictSame(statuses(body), ['409', '409', '409', '400', '409', '409', '400'])
      const details = body.Operations.map(({ response }: Result) => response?.detail)
      t.match(details, [
        /the circle of dan, eve cannot be resolved: a user with this userName already exists/,
        /the circle of dan, eve/,
        /the operation with the bulkId 'dan' failed/,
        /no Campaign Manager role/,
        /the circle of .* cannot be resolved: no Campaign Manager role/,
        /the circle of/,
        /no POST of this request has the bulkId 'nobody'/,
      ])
      t.strictSame([await total('/Users'), await total('/Groups')], before)
    },
  )

  await t.test('ids that the client does not know are told by their bulkIds', async (t) => {
    const operations = [
      create('/Groups', 'inner', groupBody('Agents')),
      create('/Groups', 'outer', { ...groupBody('Supervisors'), members: [{ value: 'bulkId:inner' }] }),
    ]
    const { body } = await scim('POST', '/Bulk', bulk(operations))
    const { response } = body.Operations[1]
    t.match(response.detail, /^members: no user is known by 'bulkId:inner'/)
  })
})

t.test('failures of the store', async (t) => {
  const away = new Error('the store is away')
  const created: string[] = []
  const run = (failing: readonly string[], rest: object = {}, over?: number) => {
    created.length = 0
    const operations = ['a', 'b', 'c', 'd'].map((name) => create('/Users', name, { userName: name }))
    const useCases = {
      type: { name: 'User', endpoint: '/Users' },
      create: async (_tenantId: number, { userName }: { userName: string }, id: string) => {
        if (failing.includes(userName)) throw away
        created.push(userName)
        return { id, version: '1' }
      },
    }
    return runBulk(
      {
        caller: { tenantId: 1, actor: 'test' },
        base: 'http://localhost/scim/v2',
        requestId: 'request',
        resources: [useCases as never],
        together: async () => {},
        isAway: (error) => error === away,
        isOver: () => created.length >= (over ?? Number.POSITIVE_INFINITY),
        answerOf: () => ({
          status: 503,
          scimType: undefined,
          detail: 'the directory is unavailable',
          headers: {},
        }),
      },
      readBulkRequest(bulk(operations, rest)),
    ) as Promise<{ Operations: Result[] }>
  }

  await t.test('before anything was done: the request as a whole fails', async (t) => {
    await t.rejects(run(['a']), away)
  })
  await t.test('after something was done: that is told, and the rest is not tried', async (t) => {
    t.strictSame(statuses(await run(['b'])), ['201', '503', '503', '503'])
    t.strictSame(created, ['a'])
  })
  await t.test('when the time is over, the rest is not tried either', async (t) => {
    t.strictSame(statuses(await run([], {}, 2)), ['201', '201', '503', '503'])
    t.strictSame(created, ['a', 'b'])
  })
  await t.test('with failOnErrors the rest is left out', async (t) => {
    t.strictSame(statuses(await run(['b'], { failOnErrors: 1 })), ['201', '503'])
  })
})
