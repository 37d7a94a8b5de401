import * as fc from 'fast-check'
import t from 'tap'
import { planBulk, readBulkRequest, referencesOf, replaceReferences } from '../../src/scim/bulk.ts'

const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
const request = (operations: readonly unknown[], rest: object = {}) => ({
  schemas: [BULK_REQUEST],
  Operations: operations,
  ...rest,
})
const create = (bulkId: string, ...references: string[]) => ({
  method: 'POST',
  path: '/Users',
  bulkId,
  data: { userName: bulkId, list: references.map((each) => ({ value: `bulkId:${each}` })) },
})
const plan = (operations: readonly unknown[]) =>
  planBulk(readBulkRequest(request(operations)).operations).map((step) =>
    step.map(({ bulkId }) => bulkId).sort(),
  )

t.test('RFC 7644 §3.7.2: what an operation refers to comes before it; else the order stays', async (t) => {
  t.strictSame(plan([create('a'), create('b'), create('c')]), [['a'], ['b'], ['c']])
  t.strictSame(plan([create('a', 'c'), create('b'), create('c')]), [['b'], ['c'], ['a']], 'it waits for it')
  const change = (id: string, ...references: string[]) => ({
    method: 'PATCH',
    path: `/Groups/${id}`,
    bulkId: `patch ${id} ${references}`,
    data: references.map((each) => `bulkId:${each}`),
  })
  t.strictSame(
    plan([change('1', 'a'), change('1'), change('2'), create('a')]),
    [['patch 2 '], ['a'], ['patch 1 a'], ['patch 1 ']],
    'the changes of one resource stay in their order',
  )
  t.strictSame(plan([create('a', 'b'), create('b', 'a'), create('c', 'a')]), [['a', 'b'], ['c']])
  t.strictSame(plan([create('a', 'a')]), [['a']], 'to refer to oneself is no circle of two')
  t.strictSame(plan([create('a', 'nobody')]), [['a']])

  const bulkIds = [...'abcdefgh']
  const operations = fc.tuple(
    ...bulkIds.map((bulkId) =>
      fc.subarray(bulkIds, { maxLength: 2 }).map((others) => create(bulkId, ...others)),
    ),
  )
  fc.assert(
    fc.property(operations, (sent) => {
      const { operations: read } = readBulkRequest(request(sent))
      const steps = planBulk(read)
      const rank = new Map(
        steps.flatMap((step, index) => step.map((each) => [each.bulkId ?? '', index] as const)),
      )
      if (rank.size !== read.length) throw new Error('an operation is lost, or twice in the plan')
      for (const operation of read) {
        for (const bulkId of 'fault' in operation ? [] : referencesOf(operation)) {
          if ((rank.get(bulkId) ?? 0) > (rank.get(operation.bulkId ?? '') ?? 0)) {
            throw new Error(`${operation.bulkId} comes before ${bulkId}`)
          }
        }
      }
    }),
    { numRuns: 300 },
  )
})

t.test('references are found wherever they stand, and nothing else is taken for one', async (t) => {
  const replace = (value: unknown) =>
    replaceReferences(value, (bulkId) => (bulkId === 'x y' ? 'ID' : undefined))
  const cases: [unknown, unknown][] = [
    ['bulkId:x y', 'ID'],
    ['bulkId:other', 'bulkId:other'],
    ['../Users/bulkId:x y', '../Users/ID'],
    ['members[value eq "bulkId:x y"]', 'members[value eq "ID"]'],
    ['see bulkId:x y', 'see bulkId:x y'],
    ['bulkid:x y', 'bulkid:x y'],
    [{ urn: { manager: { value: 'bulkId:x y' } } }, { urn: { manager: { value: 'ID' } } }],
    [
      [['bulkId:x y'], 1, null, true],
      [['ID'], 1, null, true],
    ],
    [{ 'bulkId:x y': 1 }, { 'bulkId:x y': 1 }],
  ]
  for (const [value, expected] of cases) t.strictSame(replace(value), expected, JSON.stringify(value))
})

t.test('a request that is none is refused as a whole', async (t) => {
  const operation = create('a')
  const cases: [unknown, { status: number; scimType?: string; message?: RegExp }][] = [
    [undefined, { status: 400, scimType: 'invalidSyntax' }],
    [[], { status: 400, scimType: 'invalidSyntax' }],
    [{ Operations: [operation] }, { status: 400, scimType: 'invalidSyntax', message: /schemas/ }],
    [request([]), { status: 400, scimType: 'invalidSyntax', message: /Operations/ }],
    [
      { ...request([]), Operations: operation },
      { status: 400, scimType: 'invalidSyntax' },
    ],
    [
      request([operation], { failOnErrors: 0 }),
      { status: 400, scimType: 'invalidValue', message: /failOnErrors/ },
    ],
    [request([operation], { failOnErrors: '1' }), { status: 400, scimType: 'invalidValue' }],
    [
      request([operation, operation]),
      { status: 400, scimType: 'invalidValue', message: /'a' is given to two/ },
    ],
    [
      request(Array(1001).fill(operation)),
      { status: 413, message: /1001 operations, more than the maxOperations \(1000\)/ },
    ],
  ]
  for (const [body, refusal] of cases) t.throws(() => readBulkRequest(body), { message: /./, ...refusal })
  t.equal(
    readBulkRequest(request(Array.from({ length: 1000 }, (_, index) => create(`${index}`)))).operations
      .length,
    1000,
  )
})

t.test('a fault of one operation is that operation’s', async (t) => {
  const cases: [unknown, RegExp][] = [
    ['POST', /must be a JSON object/],
    [{ ...create('a'), METHOD: 'PUT' }, /method is given twice/],
    [{ ...create('a'), path: 'users/Users' }, /path must be/],
    [{ ...create('a'), bulkId: 'a/b' }, /bulkId cannot contain/],
    [{ ...create('a'), method: 'GET' }, /method must be one of POST, PUT, PATCH, DELETE/],
    [{ ...create('a'), method: undefined }, /method/],
    [{ ...create('a'), bulkId: undefined }, /needs a bulkId/],
    [{ ...create('a'), bulkId: '' }, /needs a bulkId/],
    [{ ...create('a'), data: undefined }, /needs data/],
    [{ ...create('a'), path: '/Users/1' }, /path must be/],
    [{ ...create('a'), path: 'https://elsewhere.example/Users' }, /path must be/],
    [{ method: 'DELETE', path: '/Users' }, /path must be/],
    [{ method: 'DELETE', path: '/Users/' }, /path must be/],
    [{ method: 'DELETE', path: '/Users/1/2' }, /path must be/],
    [{ method: 'DELETE' }, /path must be/],
    [{ method: 'DELETE', path: '/Users/1', version: 1 }, /version/],
  ]
  for (const [operation, message] of cases) {
    const [read] = readBulkRequest(request([operation])).operations
    t.match(read, { fault: { status: 400, scimType: 'invalidSyntax', message } }, JSON.stringify(operation))
  }
})
