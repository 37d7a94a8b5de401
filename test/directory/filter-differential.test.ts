import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import t from 'tap'
import { insertAccount } from '../../src/directory/accounts.ts'
import { userStore } from '../../src/directory/resources.ts'
import { type Filter, parseFilter, printFilter } from '../../src/scim/filter.ts'
import { matchesFilter } from '../../src/scim/filter-match.ts'
import { readResource, renderResource } from '../../src/scim/resource.ts'
import { userType } from '../../src/scim/resource-types.ts'
import { openDatabase } from '../support/database.ts'
import { USER_SCHEMA } from '../support/scim-client.ts'

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const RUNS = Number(process.env.FILTER_RUNS ?? 400)

const text = fc.constantFrom(
  'a',
  'A',
  'ab',
  'B',
  'é',
  'É',
  '%',
  '_',
  '\\',
  "'",
  '"',
  '\u{1F600}',
  '\uFFFD',
  'z z',
)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const user = fc.record({
  title: optional(text),
  nickName: optional(text),
  externalId: optional(text),
  active: optional(fc.boolean()),
  name: optional(fc.record({ givenName: optional(text), familyName: optional(text) })),
  emails: fc.array(
    fc.record({ value: text, type: optional(fc.constantFrom('work', 'home')), primary: fc.constant(false) }),
    { maxLength: 3 },
  ),
  [ENTERPRISE]: optional(
    fc.record({ department: optional(text), manager: optional(fc.record({ value: text })) }),
  ),
})

const textPath = fc.constantFrom(
  'userName',
  'title',
  'externalId',
  'name.givenName',
  'emails',
  'emails.value',
  'emails.type',
  `${ENTERPRISE}:department`,
  `${ENTERPRISE}:manager.value`,
  'id',
  'meta.resourceType',
)
const textOperator = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le')
const literal = text.map((value) => JSON.stringify(value))
const moment = fc.constantFrom('"1999-01-01T00:00:00Z"', '"2999-01-01T00:00:00+02:00"')
const term = fc.oneof(
  fc.tuple(textPath, textOperator, literal).map((parts) => parts.join(' ')),
  fc.tuple(textPath, fc.constantFrom('eq', 'ne'), fc.constant('null')).map((parts) => parts.join(' ')),
  textPath.map((path) => `${path} pr`),
  fc
    .tuple(fc.constantFrom('active eq', 'active ne', 'emails.primary eq'), fc.boolean())
    .map((parts) => parts.join(' ')),
  fc
    .tuple(fc.constantFrom('gt', 'le', 'eq', 'ne'), moment)
    .map(([op, at]) => `meta.lastModified ${op} ${at}`),
)
const part = fc.oneof(
  fc.tuple(fc.constantFrom('value', 'type'), textOperator, literal).map((parts) => parts.join(' ')),
  fc.constantFrom('type pr', 'primary eq false', 'display pr', 'type eq "work"', 'type eq null'),
)
const joined = (operand: fc.Arbitrary<string>) =>
  fc.tuple(operand, fc.constantFrom('and', 'or'), operand).map(([a, word, b]) => `(${a} ${word} ${b})`)
const negated = (operand: fc.Arbitrary<string>) => operand.map((inner) => `not (${inner})`)
const valuePath = fc.oneof(part, joined(part), negated(part)).map((inner) => `emails[${inner}]`)
const leaf = fc.oneof({ weight: 3, arbitrary: term }, { weight: 1, arbitrary: valuePath })
const filters = fc.oneof(leaf, negated(leaf), joined(leaf), joined(fc.oneof(joined(leaf), negated(leaf))))

t.test('a filter finds in Postgres what it matches in memory', async (t) => {
  const { db } = await openDatabase(t)
  for (const [index, sent] of fc.sample(user, { numRuns: 40, seed: 1 }).entries()) {
    const body = readResource(userType, {
      schemas: [USER_SCHEMA],
      userName: `${index}-${sent.title ?? 'x'}`,
      ...sent,
    })
    const id = randomUUID()
    await db.transaction().execute(async (trx) => {
      await insertAccount(trx, 1, id)
      await userStore.insert(trx, 1, id, { active: true, ...body })
    })
  }
  const all = await userStore.list(db, 1, { filter: undefined, offset: 0, limit: 1000 })
  const rendered = all.resources.map((stored) =>
    renderResource(userType, {
      id: stored.id,
      resource: stored.attributes,
      created: stored.created.toISOString(),
      lastModified: stored.lastModified.toISOString(),
      version: `W/"${stored.version}"`,
      location: '',
    }),
  )
  const inMemory = (filter: Filter) =>
    rendered.filter((each) => matchesFilter(filter, each)).map(({ id }) => id)
  let found = 0
  await fc.assert(
    fc.asyncProperty(filters, async (written) => {
      const filter = parseFilter(userType, written)
      const page = await userStore.list(db, 1, { filter, offset: 0, limit: 1000 })
      const ids = page.resources.map(({ id }) => id)
      const expected = inMemory(filter)
      found += ids.length
      if (JSON.stringify(ids) !== JSON.stringify(expected) || page.totalResults !== expected.length) {
        throw new Error(`${printFilter(filter)}: ${ids.length} in Postgres, ${expected.length} in memory`)
      }
    }),
    { numRuns: RUNS },
  )
  t.ok(found > RUNS, 'the filters are not all empty')
})
