import * as fc from 'fast-check'
import t from 'tap'
import {
  grantIntent,
  mayDelete,
  type RoleSituation,
  sameRoles,
  targetRoles,
} from '../../src/roles/role-rule.ts'

const situation = (given: Partial<RoleSituation>): RoleSituation => ({
  standing: 'assigned',
  wanted: [],
  granted: [],
  observed: [],
  placeholder: 'Placeholder',
  protectedRoles: [],
  ...given,
})

t.test('the flows of roles', async (t) => {
  const cases: [name: string, given: Partial<RoleSituation>, roles: string[]][] = [
    ['a new account holds the placeholder', { standing: 'awaiting' }, ['Placeholder']],
    ['the first role replaces the placeholder', { wanted: ['A'], observed: ['Placeholder'] }, ['A']],
    ['a further role is appended', { wanted: ['A', 'B'], granted: ['A'], observed: ['A'] }, ['A', 'B']],
    ['one of two roles is removed', { wanted: ['B'], granted: ['A', 'B'], observed: ['A', 'B'] }, ['B']],
    ['the last role gone means no account', { standing: 'released', granted: ['A'], observed: ['A'] }, []],
    ['a deleted user has no account', { standing: 'deleted', granted: ['A'], observed: ['A'] }, []],
    [
      'a foreign role stays, and before the wanted ones',
      { wanted: ['A'], observed: ['X', 'Placeholder'] },
      ['X', 'A'],
    ],
    [
      'a foreign role outlives the last group',
      { standing: 'released', granted: ['A'], observed: ['A', 'X'] },
      ['X'],
    ],
    [
      'a role given but not yet recorded as such is not foreign',
      { standing: 'released', granted: ['A', 'B'], observed: ['B'] },
      [],
    ],
    ['renaming: the old name leaves', { wanted: ['B'], granted: ['A'], observed: ['A'] }, ['B']],
    ['a protected role is not granted', { wanted: ['Root', 'A'], protectedRoles: ['root'] }, ['A']],
    [
      'a protected role is not removed, even if it was granted once',
      { standing: 'released', granted: ['Root'], observed: ['Root'], protectedRoles: ['Root'] },
      ['Root'],
    ],
    [
      'a member of groups that can grant nothing keeps an account',
      { wanted: [], granted: ['A'], observed: ['A'] },
      ['Placeholder'],
    ],
    [
      'a group of the placeholder grants nothing beside another role',
      { wanted: ['Placeholder', 'A'], observed: ['Placeholder'] },
      ['A'],
    ],
  ]
  for (const [name, given, roles] of cases) t.same(targetRoles(situation(given)).roles, roles, name)
})

const role = fc.constantFrom('A', 'B', 'C', 'D', 'E')
const roles = fc.uniqueArray(role, { maxLength: 5 })
const anySituation: fc.Arbitrary<RoleSituation> = fc
  .record({
    wanted: roles,
    granted: roles,
    observed: fc.uniqueArray(fc.constantFrom('A', 'B', 'C', 'D', 'E', 'Placeholder'), { maxLength: 6 }),
    protectedRoles: fc.uniqueArray(role, { maxLength: 2 }),
    standing: fc.constantFrom('awaiting' as const, 'released' as const, 'deleted' as const),
  })
  .map((given) => situation({ ...given, standing: given.wanted.length > 0 ? 'assigned' : given.standing }))

t.test('properties of the role rule', async () => {
  fc.assert(
    fc.property(anySituation, (given) => {
      const { roles: target, foreign } = targetRoles(given)
      const isProtected = (name: string) => given.protectedRoles.includes(name)
      // The placeholder stands alone.
      if (target.includes('Placeholder') && target.length > 1) return false
      // What was there and not ours is still there.
      if (!foreign.every((name) => target.includes(name))) return false
      // Nothing is added that no group names.
      const added = target.filter((name) => !given.observed.includes(name) && name !== 'Placeholder')
      if (!added.every((name) => given.wanted.includes(name) && !isProtected(name))) return false
      // Nothing that we granted stays without a group.
      const kept = given.granted.filter((name) => target.includes(name) && !isProtected(name))
      if (!kept.every((name) => given.wanted.includes(name))) return false
      // Protected roles stay exactly as they are.
      return given.observed.filter(isProtected).every((name) => target.includes(name))
    }),
    { numRuns: 2000 },
  )
})

t.test('applying the rule to its own result changes nothing', async () => {
  fc.assert(
    fc.property(anySituation, (given) => {
      const first = targetRoles(given)
      // A crash before the record leaves the intent; a record leaves exactly what was wanted.
      for (const granted of [first.wanted, grantIntent(given.granted, first.wanted)]) {
        const again = targetRoles({ ...given, granted, observed: first.roles })
        if (!sameRoles(again.roles, first.roles)) return false
      }
      return true
    }),
    { numRuns: 2000 },
  )
})

t.test('an account with a protected role is never deleted', async (t) => {
  t.equal(mayDelete(['A', 'ROOT'], ['Root']), false)
  t.equal(mayDelete(['A'], ['Root']), true)
})
