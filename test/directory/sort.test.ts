import t from 'tap'
import { type ListPlace, type ListQuery, listResources } from '../../src/directory/list.ts'
import { type AttributePath, isSimpleList, type JsonObject } from '../../src/scim/attribute.ts'
import { comparable } from '../../src/scim/fold.ts'
import { printAttributePath, valuePathOf } from '../../src/scim/path.ts'
import { leafOf } from '../scim/generated-filters.ts'
import { openDatabase } from '../support/database.ts'
import { BASE, fillDirectory, types } from './generated-directory.ts'

type Key = string | number | undefined

/** RFC 7644 §3.4.2.3, on a resource as clients see it. */
function keyOf(resource: JsonObject, { isExtension, schema, attribute, subAttribute }: AttributePath): Key {
  const container = (isExtension ? resource[schema] : resource) as JsonObject | undefined
  const values = [container?.[attribute.name] ?? []].flat()
  const one = values.find((each) => (each as JsonObject).primary === true) ?? values[0]
  const value =
    subAttribute && !isSimpleList(attribute) ? (one as JsonObject | undefined)?.[subAttribute.name] : one
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'string' ? comparable(subAttribute ?? attribute, value) : (value as Key)
}

function compareKeys(a: Key, b: Key): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))
}

t.test('lists can be sorted by every attribute, and walked from place to place', async (t) => {
  const { db } = await openDatabase(t)
  const directory = await fillDirectory(db, 1)
  for (const [type, resources] of directory) {
    const named = [...type.paths.values()]
      .map((path) => valuePathOf(path) ?? path)
      .filter((path) => leafOf(path).type !== 'complex' && path.attribute.returned !== 'never')
    const paths = new Map(named.map((path) => [printAttributePath(path), path])).values()
    for (const path of paths) {
      for (const descending of [false, true]) {
        const query: ListQuery = {
          targets: [{ type, filter: undefined, sortBy: path }],
          sort: { descending },
          base: BASE,
        }
        const direction = descending ? -1 : 1
        const expected = resources
          .map((resource, position) => ({ id: resource.id, key: keyOf(resource, path), position }))
          .sort((a, b) => direction * compareKeys(a.key, b.key) || a.position - b.position)
          .map(({ id }) => id)
        const all = await listResources(db, 1, query, { limit: 100 })
        const walked = descending ? await walk(query, 7) : expected
        const name = `${path.schema}:${path.attribute.name}.${path.subAttribute?.name ?? ''}`
        t.strictSame(
          [all.map(({ resource }) => resource.id), walked],
          [expected, expected],
          `${name} ${descending ? 'descending' : 'ascending'}`,
        )
      }
    }
  }

  async function walk(query: ListQuery, limit: number): Promise<string[]> {
    const ids: string[] = []
    let after: ListPlace | undefined
    for (;;) {
      const page = await listResources(db, 1, query, { limit, after })
      ids.push(...page.map(({ resource }) => resource.id))
      if (page.length < limit) return ids
      after = page.at(-1)?.place
    }
  }

  await t.test('users and groups together', async (t) => {
    const targets = [types.user, types.group].map((type) => ({
      type,
      filter: undefined,
      sortBy: type.paths.get('displayname'),
    }))
    for (const sort of [undefined, { descending: false }, { descending: true }]) {
      const query = { targets, sort, base: BASE }
      const all = await listResources(db, 1, query, { limit: 100 })
      t.equal(all.length, 42)
      t.strictSame(
        await walk(query, 5),
        all.map(({ resource }) => resource.id),
      )
    }
  })
})
