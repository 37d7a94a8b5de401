import { randomUUID } from 'node:crypto'
import t from 'tap'
import { insertAccount } from '../../src/directory/accounts.ts'
import { countResources } from '../../src/directory/list.ts'
import { refoldExtensions } from '../../src/directory/refold.ts'
import { resourceStore } from '../../src/directory/resources.ts'
import { parseFilter } from '../../src/scim/filter.ts'
import { readResource } from '../../src/scim/resource.ts'
import { createResourceTypes } from '../../src/scim/resource-types.ts'
import { completeExtension, type DeclaredAttribute } from '../../src/scim/schema-extension.ts'
import { openDatabase } from '../support/database.ts'
import { USER_SCHEMA, userBody } from '../support/scim-client.ts'

const URN = 'urn:example:badge:User'

const typeWith = (...attributes: DeclaredAttribute[]) =>
  createResourceTypes(
    attributes.length === 0
      ? []
      : [completeExtension({ resourceType: 'User', schema: { id: URN, name: 'Badge', attributes } })],
  ).user

t.test('what is declared anew is found in resources that had it before', async (t) => {
  const { db } = await openDatabase(t)
  const first = typeWith({ name: 'region' }, { name: 'level', type: 'integer' })
  const id = randomUUID()
  const count = (type: ReturnType<typeof typeWith>, text: string) => {
    const targets = [{ type, filter: parseFilter(type, text), sortBy: undefined }]
    return countResources(db, 1, { targets, sort: undefined, base: 'http://localhost' })
  }
  const body = userBody('ann', { schemas: [USER_SCHEMA, URN], [URN]: { region: 'North', level: 7 } })
  const created = await db.transaction().execute(async (trx) => {
    await insertAccount(trx, 1, id)
    return resourceStore(first).insert(trx, 1, id, readResource(first, body))
  })
  t.equal(await refoldExtensions(db, first), 0)
  t.equal(await count(first, `${URN}:region eq "NORTH" and ${URN}:level gt 6`), 1)

  const without = typeWith()
  t.equal(await refoldExtensions(db, without), 1)
  t.equal(await refoldExtensions(db, without), 0, 'once')

  const exact = typeWith({ name: 'region', caseExact: true }, { name: 'level' })
  t.equal(await refoldExtensions(db, exact), 1)
  t.equal(await count(exact, `${URN}:region eq "North"`), 1)
  t.equal(await count(exact, `${URN}:region eq "NORTH"`), 0, 'as it is declared now')
  t.equal(await count(exact, `${URN}:level pr`), 0, 'a value of another type is none')
  t.equal(
    (await resourceStore(exact).find(db, 1, id))?.version,
    created.version,
    'to clients nothing changed',
  )
})
