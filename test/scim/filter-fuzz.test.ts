import * as fc from 'fast-check'
import t from 'tap'
import { equalValues } from '../../src/scim/equal.ts'
import { ScimError } from '../../src/scim/error.ts'
import { parseFilter, printFilter } from '../../src/scim/filter.ts'
import { types } from '../directory/generated-directory.ts'
import { filtersOf, mutatedFilters } from './generated-filters.ts'

const RUNS = Number(process.env.FUZZ_RUNS ?? 3000)

t.test('a filter that is parsed and printed parses to the same filter', async (t) => {
  for (const type of [types.user, types.group]) {
    fc.assert(
      fc.property(filtersOf(type), (written) => {
        const filter = parseFilter(type, written)
        const printed = printFilter(filter)
        if (!equalValues(parseFilter(type, printed), filter)) throw new Error(`became ${printed}`)
      }),
      { numRuns: RUNS / 2 },
    )
  }
  t.pass(`${RUNS} filters`)
})

t.test('a text that is no filter is refused as one, quickly', async (t) => {
  let slowest = 0
  let refused = 0
  fc.assert(
    fc.property(mutatedFilters(types.user), (text) => {
      const begin = performance.now()
      try {
        parseFilter(types.user, text, [types.group])
      } catch (error) {
        if (!(error instanceof ScimError) || error.status !== 400) throw error
        refused++
      }
      slowest = Math.max(slowest, performance.now() - begin)
    }),
    { numRuns: RUNS },
  )
  t.comment(`${refused} of ${RUNS} refused; the slowest took ${slowest.toFixed(1)} ms`)
  t.ok(refused > RUNS / 10 && refused < RUNS, 'some are filters still, and many are not')
})
