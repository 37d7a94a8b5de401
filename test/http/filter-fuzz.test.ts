import * as fc from 'fast-check'
import t from 'tap'
import { createResourceTypes } from '../../src/scim/resource-types.ts'
import { fillDirectory } from '../directory/generated-directory.ts'
import { filtersOf, mutatedFilters } from '../scim/generated-filters.ts'
import { SCIM_TOKEN, startTestService } from '../support/service.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 200)
const AT_ONCE = 20

t.test('whatever is sent as a filter, the answer is a list or a 400', async (t) => {
  const { url, database } = await startTestService(t)
  await fillDirectory(database.db, 1)
  const headers = { authorization: `Bearer ${SCIM_TOKEN}` }
  const { user, group } = createResourceTypes([])
  const filters = fc.oneof(mutatedFilters(user), filtersOf(user), filtersOf(group))
  const queries = fc.record(
    {
      filter: filters,
      sortBy: fc.constantFrom(
        'userName',
        'emails',
        'meta.lastModified',
        'members',
        'displayName',
        'name',
        'password',
        '',
      ),
      sortOrder: fc.constantFrom('descending', 'ascending', 'up'),
      attributes: fc.constantFrom('userName,members', 'name.givenName', 'password', '__proto__', ''),
      count: fc.constantFrom('0', '1', '-1', '1000', '99999999999999999999', 'x'),
      startIndex: fc.constantFrom('0', '2', '99999999999999999999'),
      cursor: fc.constantFrom('', 'x'),
    },
    { requiredKeys: ['filter'] },
  )
  const request = fc.tuple(
    fc.constantFrom('/Users', '/Groups', ''),
    fc.oneof({ weight: 3, arbitrary: fc.record({ filter: filters }) }, { weight: 1, arbitrary: queries }),
  )
  const requests = fc.sample(request, RUNS)
  const statuses = new Map<number, number>()
  const wrong: string[] = []
  for (let sent = 0; sent < requests.length; sent += AT_ONCE) {
    await Promise.all(
      requests.slice(sent, sent + AT_ONCE).map(async ([path, parameters]) => {
        const target = `${path}?${new URLSearchParams(parameters)}`
        const response = await fetch(`${url}/scim/v2${target}`, { headers })
        await response.json()
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
        if (![200, 400].includes(response.status)) wrong.push(`${response.status} ${target}`)
      }),
    )
  }
  t.comment(`${RUNS} requests: ${[...statuses].map(([status, times]) => `${times} × ${status}`).join(', ')}`)
  t.strictSame(wrong, [])
  t.ok((statuses.get(200) ?? 0) > RUNS / 10)
})
