import t from 'tap'
import { resolveRoles } from '../../src/provisioning/resolve-roles.ts'

/** A catalog that believes an older list; `asked` has how old each list might be. */
function catalog({ kept, now }: { kept: string[]; now: string[] }) {
  const asked: (number | undefined)[] = []
  const get = async (maxAgeMs?: number) => {
    asked.push(maxAgeMs)
    return maxAgeMs === undefined ? kept : now
  }
  return { asked, context: { roleCatalog: { get }, placeholderRole: 'Placeholder' } }
}

const assigned = { standing: 'assigned', granted: [], groupNames: ['Agents'] } as const
const lookup = { recentMs: 3000, listOnly: false }
const awaiting = { standing: 'awaiting', granted: [], groupNames: [] } as const

t.test('a role that an older list lacks is looked for in a recent one', async (t) => {
  const { asked, context } = catalog({ kept: ['Placeholder'], now: ['Placeholder', 'agents'] })
  const found = await resolveRoles(context, assigned, undefined, lookup)
  t.match(found, { wanted: ['agents'], held: [], remainder: undefined })
  t.strictSame(asked, [undefined, lookup.recentMs])
})

t.test('so is the placeholder, where it is needed', async (t) => {
  const made = catalog({ kept: [], now: ['Placeholder'] })
  t.match(await resolveRoles(made.context, awaiting, undefined, lookup), { placeholder: { exists: true } })
  const missing = catalog({ kept: [], now: [] })
  t.match(await resolveRoles(missing.context, awaiting, undefined, lookup), {
    placeholder: { exists: false },
  })
  const unneeded = catalog({ kept: ['Agents'], now: [] })
  await resolveRoles(unneeded.context, assigned, undefined, lookup)
  t.strictSame(unneeded.asked, [undefined], 'what is in the list is not asked for twice')
})

t.test('a role that is in neither is waited for', async (t) => {
  const { context } = catalog({ kept: ['Placeholder'], now: ['Placeholder'] })
  t.match(await resolveRoles(context, assigned, undefined, lookup), {
    wanted: [],
    held: ['Agents'],
    remainder: { kind: 'waiting', reason: 'role_unknown' },
  })
})
