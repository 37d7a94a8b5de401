import * as fc from 'fast-check'
import t from 'tap'
import { countResources, listResources } from '../../src/directory/list.ts'
import { type AttributePath, isSimpleList, type JsonObject } from '../../src/scim/attribute.ts'
import { type Filter, parseFilter, printFilter } from '../../src/scim/filter.ts'
import { matchesFilter } from '../../src/scim/filter-match.ts'
import { filtersOf } from '../scim/generated-filters.ts'
import { openDatabase } from '../support/database.ts'
import { BASE, fillDirectory, types } from './generated-directory.ts'

const RUNS = Number(process.env.FILTER_RUNS ?? 300)

function valuesOf(
  resources: readonly JsonObject[],
  { isExtension, schema, attribute, subAttribute }: AttributePath,
) {
  return resources.flatMap((resource) => {
    const container = (isExtension ? resource[schema] : resource) as JsonObject | undefined
    const values = [container?.[attribute.name] ?? []].flat()
    const read =
      subAttribute && !isSimpleList(attribute)
        ? values.map((each) => (each as JsonObject)[subAttribute.name])
        : values
    return read.filter((each) => typeof each === 'string').slice(0, 1)
  })
}

t.test('a filter finds in Postgres what it matches in memory', async (t) => {
  const { db } = await openDatabase(t)
  const directory = await fillDirectory(db, 1)
  let found = 0
  for (const [type, resources] of directory) {
    const inMemory = (filter: Filter) =>
      resources.filter((each) => matchesFilter(filter, each)).map(({ id }) => id)
    await fc.assert(
      fc.asyncProperty(
        filtersOf(type, (path) => valuesOf(resources, path)),
        async (written) => {
          const filter = parseFilter(type, written)
          const query = { targets: [{ type, filter, sortBy: undefined }], sort: undefined, base: BASE }
          const page = await listResources(db, 1, query, { limit: 100 })
          const ids = page.map(({ resource }) => resource.id)
          const expected = inMemory(filter)
          found += ids.length
          if (
            JSON.stringify(ids) !== JSON.stringify(expected) ||
            (await countResources(db, 1, query)) !== ids.length
          ) {
            throw new Error(`${printFilter(filter)}: ${ids.length} in Postgres, ${expected.length} in memory`)
          }
        },
      ),
      { numRuns: RUNS / 2 },
    )
  }
  t.ok(found > RUNS, 'the filters are not all empty')
})

t.test('a filter that names an attribute of another type finds those without a value', async (t) => {
  const { db } = await openDatabase(t)
  const directory = await fillDirectory(db, 1)
  const all = [types.user, types.group]
  const find = async (text: string) => {
    const targets = all.map((type) => ({ type, filter: parseFilter(type, text, all), sortBy: undefined }))
    const found = await listResources(db, 1, { targets, sort: undefined, base: BASE }, { limit: 100 })
    return found.map(({ type }) => type.name)
  }
  const users = directory.get(types.user)?.map(() => 'User') ?? []
  const groups = directory.get(types.group)?.map(() => 'Group') ?? []
  t.strictSame(await find('userName pr'), users)
  t.strictSame(await find('not (userName pr)'), groups)
  t.strictSame(await find('userName ne "nobody"'), [...users, ...groups])
  t.strictSame(await find('userName eq null'), groups)
  t.strictSame(await find('emails[type eq "x"] or meta.resourceType eq "Group"'), groups)
  t.strictSame(await find('shoeSize pr or shoeSize eq 42 or shoeSize ne null'), [])
  t.strictSame(await find('id pr'), [...users, ...groups])
})
