import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import type { Kysely } from 'kysely'
import type { Database } from '../../src/db/tables.ts'
import { insertAccount } from '../../src/directory/accounts.ts'
import { listResources } from '../../src/directory/list.ts'
import { addMembers, groupsOf, membersOf } from '../../src/directory/members.ts'
import { resourceStore } from '../../src/directory/resources.ts'
import { groupElements, memberElements, present } from '../../src/http/present.ts'
import type { Attribute, JsonObject, ResourceType, Schema } from '../../src/scim/attribute.ts'
import { readResource } from '../../src/scim/resource.ts'
import { createResourceTypes } from '../../src/scim/resource-types.ts'
import { moments, numbers, texts } from '../scim/generated-filters.ts'

export const BASE = 'http://localhost/scim/v2'

const attribute = (name: string, rest: Partial<Attribute>): Attribute => ({
  name,
  type: 'string',
  multiValued: false,
  description: '',
  required: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
  ...rest,
})

/** An attribute of every type, since the standard schemas have no numbers and no lists of simple values. */
const badgeSchema: Schema = {
  id: 'urn:example:badge:2.0',
  name: 'Badge',
  description: '',
  attributes: [
    attribute('level', { type: 'integer' }),
    attribute('score', { type: 'decimal' }),
    attribute('since', { type: 'dateTime' }),
    attribute('valid', { type: 'boolean' }),
    attribute('tags', { multiValued: true, caseExact: false }),
    attribute('codes', { multiValued: true, caseExact: true }),
    attribute('levels', { type: 'integer', multiValued: true }),
    attribute('doors', {
      type: 'complex',
      multiValued: true,
      subAttributes: [
        attribute('value', { caseExact: false }),
        attribute('floor', { type: 'integer' }),
        attribute('primary', { type: 'boolean' }),
      ],
    }),
    // Names that mean something else in the core schemas.
    attribute('id', {}),
    attribute('active', { type: 'boolean' }),
    attribute('externalId', { caseExact: true }),
    attribute('groups', { multiValued: true }),
    attribute('schemas', { multiValued: true }),
    attribute('meta', { type: 'complex', subAttributes: [attribute('note', {})] }),
    attribute('members', {
      type: 'complex',
      multiValued: true,
      subAttributes: [attribute('value', {}), attribute('floor', { type: 'integer' })],
    }),
  ],
}

export const types = createResourceTypes([
  { resourceType: 'User', required: false, schema: badgeSchema },
  { resourceType: 'Group', required: false, schema: badgeSchema },
])

const leafValue: Readonly<Record<Exclude<Attribute['type'], 'complex'>, fc.Arbitrary<unknown>>> = {
  string: fc.constantFrom(...texts),
  reference: fc.constantFrom(...texts),
  binary: fc.constantFrom('YQ==', 'Yg=='),
  boolean: fc.boolean(),
  integer: fc.constantFrom(...numbers.filter(Number.isInteger)),
  decimal: fc.constantFrom(...numbers),
  dateTime: fc.constantFrom(...moments),
}

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 1 })

function oneValue({ type, subAttributes = [] }: Attribute): fc.Arbitrary<unknown> {
  if (type !== 'complex') return leafValue[type]
  const parts = subAttributes.filter(({ name }) => name !== 'primary')
  return fc.record(Object.fromEntries(parts.map((part) => [part.name, optional(oneValue(part))])))
}

/** Of several values the last is the primary one, sometimes: lists are sorted by it. */
const manyValues = (attribute: Attribute): fc.Arbitrary<unknown> =>
  fc.tuple(fc.array(oneValue(attribute), { maxLength: 3 }), fc.boolean()).map(([values, marks]) => {
    const hasPrimary = attribute.subAttributes?.some(({ name }) => name === 'primary')
    return hasPrimary && marks
      ? values.map((value, index) => ({ ...(value as JsonObject), primary: index === values.length - 1 }))
      : values
  })

const schemaValue = ({ attributes }: Schema): fc.Arbitrary<JsonObject> =>
  fc.record(
    Object.fromEntries(
      attributes
        .filter(
          ({ name, mutability, required }) => mutability !== 'readOnly' && name !== 'members' && !required,
        )
        .map((each) => [each.name, optional(each.multiValued ? manyValues(each) : oneValue(each))]),
    ),
  )

export const body = (type: ResourceType): fc.Arbitrary<JsonObject> =>
  fc
    .tuple(schemaValue(type.schema), ...type.extensions.map(({ schema }) => optional(schemaValue(schema))))
    .map(([core, ...extensions]) => ({
      ...core,
      schemas: [type.schema.id],
      ...Object.fromEntries(type.extensions.map(({ schema }, index) => [schema.id, extensions[index]])),
    }))

/** Fills a database, and returns what is in it as clients see it, in the order of creation. */
export async function fillDirectory(
  db: Kysely<Database>,
  tenantId: number,
): Promise<Map<ResourceType, JsonObject[]>> {
  const { user, group } = types
  const users = resourceStore(user)
  const groups = resourceStore(group)
  const userIds: string[] = []
  await db.transaction().execute(async (trx) => {
    for (const [index, sent] of fc.sample(body(user), { numRuns: 30, seed: 1 }).entries()) {
      const id = randomUUID()
      await insertAccount(trx, tenantId, id)
      const read = readResource(user, { ...sent, userName: `${texts[index % 5]}${index}` })
      await users.insert(trx, tenantId, id, { active: true, ...read })
      userIds.push(id)
    }
    for (const [index, sent] of fc.sample(body(group), { numRuns: 12, seed: 2 }).entries()) {
      const id = randomUUID()
      const displayName = `${texts[index % 5]}${index}`
      await groups.insert(trx, tenantId, id, readResource(group, { ...sent, displayName }))
      await addMembers(
        trx,
        tenantId,
        id,
        userIds.filter((_id, at) => at % 12 < index % 4),
      )
    }
  })
  const rendered = async (type: ResourceType) => {
    const query = { targets: [{ type, filter: undefined, sortBy: undefined }], sort: undefined, base: BASE }
    const found = await listResources(db, tenantId, query, { limit: 100 })
    const ids = found.map(({ resource }) => resource.id)
    const parts = type === user ? await groupsOf(db, tenantId, ids) : await membersOf(db, tenantId, ids)
    return found.map(({ resource }) => {
      const members = parts.get(resource.id) ?? []
      const part =
        type === user ? groupElements(BASE, members as never) : memberElements(BASE, members as never)
      return present(type, resource, BASE, part)
    })
  }
  return new Map([
    [user, await rendered(user)],
    [group, await rendered(group)],
  ])
}
