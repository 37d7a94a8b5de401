import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { GROUP_SCHEMA, groupBody, patchBody, USER_SCHEMA, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

const URN = 'urn:example:params:scim:schemas:extension:campaigns:2.0:User'
const OF_GROUPS = 'urn:example:campaigns:Group'

const file = [
  {
    resourceType: 'User',
    schema: {
      id: URN,
      name: 'Campaigns',
      attributes: [
        { name: 'region' },
        { name: 'languages', multiValued: true },
        { name: 'badge', type: 'integer', mutability: 'immutable' },
        { name: 'since', type: 'dateTime' },
        { name: 'note', returned: 'request' },
        {
          name: 'budget',
          type: 'complex',
          subAttributes: [
            { name: 'amount', type: 'decimal', required: true },
            { name: 'currency', caseExact: true },
          ],
        },
      ],
    },
  },
  {
    resourceType: 'Group',
    required: true,
    schema: { id: OF_GROUPS, name: 'Owner', attributes: [{ name: 'owner', required: true }] },
  },
]

t.test('attributes of an operator’s own', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'schemas-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'schemas.json')
  await writeFile(path, JSON.stringify(file))
  const { scim, settle, accounts } = await startTestService(t, { env: { SCHEMA_EXTENSIONS: path } })
  const found = async (filter: string) => {
    const { status, body } = await scim('GET', `/Users?${new URLSearchParams({ filter })}`)
    return status === 200
      ? body.Resources.map(({ displayName }: { displayName: string }) => displayName)
      : body.scimType
  }

  await t.test('are discovered', async (t) => {
    const { body: types } = await scim('GET', '/ResourceTypes')
    t.match(types.Resources, [
      { id: 'User', schemaExtensions: [{ required: false }, { schema: URN, required: false }] },
      { id: 'Group', schemaExtensions: [{ schema: OF_GROUPS, required: true }] },
    ])
    const { status, body } = await scim('GET', `/Schemas/${URN}`)
    t.equal(status, 200)
    t.match(body.attributes[0], {
      name: 'region',
      type: 'string',
      multiValued: false,
      required: false,
      caseExact: false,
      mutability: 'readWrite',
      returned: 'default',
      uniqueness: 'none',
    })
    t.equal((await scim('GET', '/Schemas')).body.totalResults, 5)
  })

  const ann = {
    region: 'North',
    languages: ['en', 'de'],
    badge: 7,
    since: '2026-01-01T10:00:00+02:00',
    note: 'careful',
    budget: { amount: 12.5, currency: 'EUR' },
  }
  const created = await scim('POST', '/Users', userBody('ann', { schemas: [USER_SCHEMA, URN], [URN]: ann }))
  await scim('POST', '/Users', userBody('bob', { [`${URN}:region`]: 'South', [`${URN}:badge`]: 10 }))
  const user = `/Users/${created.body.id}`

  await t.test('are stored, and shown as their schema says', async (t) => {
    const { note, ...shown } = ann
    t.equal(created.status, 201)
    t.strictSame(created.body[URN], shown)
    t.ok(created.body.schemas.includes(URN))
    t.equal((await scim('GET', `${user}?attributes=${URN}:note`)).body[URN].note, note)
  })

  await t.test('are checked', async (t) => {
    const cases: [object, RegExp][] = [
      [{ badge: 1.5 }, /badge must be of type integer/],
      [{ since: 'yesterday' }, /since must be of type dateTime/],
      [{ languages: [{ value: 'en' }] }, /languages/],
      [{ budget: { currency: 'EUR' } }, /amount is required/],
    ]
    for (const [values, detail] of cases) {
      const { status, body } = await scim('POST', '/Users', userBody('eve', { [URN]: values }))
      t.match(
        { status, body },
        { status: 400, body: { scimType: 'invalidValue', detail } },
        JSON.stringify(values),
      )
    }
    const group = await scim('POST', '/Groups', groupBody('Campaign Editor'))
    t.match(group, { status: 400, body: { scimType: 'invalidValue' } }, 'a required extension is missing')
  })

  await t.test('are filtered and sorted', async (t) => {
    t.strictSame(await found(`${URN}:region eq "north"`), ['ann'])
    t.strictSame(await found(`${URN}:languages eq "DE"`), ['ann'])
    t.strictSame(await found(`${URN}:languages[value sw "d"]`), ['ann'])
    t.strictSame(await found(`${URN}:badge ge 8`), ['bob'])
    t.strictSame(await found(`${URN}:badge lt 8 or ${URN}:region co "out"`), ['ann', 'bob'])
    t.strictSame(await found(`${URN}:since eq "2026-01-01T08:00:00Z"`), ['ann'])
    t.strictSame(await found(`${URN}:budget.amount gt 12 and ${URN}:budget.currency eq "EUR"`), ['ann'])
    t.strictSame(await found(`${URN}:budget.currency eq "eur"`), [])
    t.strictSame(await found(`not (${URN}:languages pr)`), ['bob'])
    t.equal(await found(`${URN}:badge eq "seven"`), 'invalidFilter')
    t.equal(await found(`${URN}:shoe pr`), 'invalidFilter')
    const { body } = await scim('GET', `/Users?sortBy=${URN}:badge&sortOrder=descending`)
    t.match(body.Resources, [{ displayName: 'bob' }, { displayName: 'ann' }])
  })

  await t.test('are patched', async (t) => {
    const patch = (...operations: object[]) => scim('PATCH', user, patchBody(...operations))
    const added = await patch(
      { op: 'add', path: `${URN}:languages`, value: ['fr', 'EN'] },
      { op: 'remove', path: `${URN}:languages[value eq "de"]` },
      { op: 'replace', path: `${URN}:budget.amount`, value: 13 },
      { op: 'replace', value: { [`${URN}:region`]: 'West' } },
    )
    t.match(added, {
      status: 200,
      body: { [URN]: { region: 'West', languages: ['en', 'fr'], budget: { amount: 13, currency: 'EUR' } } },
    })
    const same = await patch({ op: 'add', path: `${URN}:languages`, value: ['FR'] })
    t.equal(same.body.meta.version, added.body.meta.version, 'nothing changed')
    t.match(await patch({ op: 'replace', path: `${URN}:badge`, value: 8 }), {
      status: 400,
      body: { scimType: 'mutability' },
    })
    t.match(await patch({ op: 'remove', path: `${URN}:budget.amount` }), {
      status: 400,
      body: { scimType: 'mutability' },
    })
    t.match(await patch({ op: 'add', path: `${URN}:shoe`, value: 8 }), {
      status: 400,
      body: { scimType: 'invalidPath' },
    })
  })

  await t.test('are replaced, immutable ones aside', async (t) => {
    const changed = await scim('PUT', user, userBody('ann', { [URN]: { badge: 8 } }))
    t.match(changed, { status: 400, body: { scimType: 'mutability' } })
    const replaced = await scim('PUT', user, userBody('ann', { [URN]: { region: 'East' } }))
    t.strictSame(replaced.body[URN], { region: 'East', badge: 7 })
  })

  await t.test('of groups, and none of it reaches Campaign Manager', async (t) => {
    const body = groupBody('Campaign Editor', {
      schemas: [GROUP_SCHEMA, OF_GROUPS],
      [OF_GROUPS]: { owner: 'ann' },
      members: [{ value: created.body.id }],
    })
    t.equal((await scim('POST', '/Groups', body)).status, 201)
    t.equal((await scim('GET', `/Groups?filter=${OF_GROUPS}:owner+eq+"ANN"`)).body.totalResults, 1)
    await settle()
    t.match(accounts(), { 'ann@example.com': ['Campaign Editor'] })
  })
})
