import t from 'tap'
import type { Account } from '../../src/campaign-manager/messages.ts'
import {
  type AccountPlan,
  type AccountPolicies,
  type AccountSituation,
  type FoundBy,
  planAccount,
} from '../../src/provisioning/plan-account.ts'

const account = (given: Partial<Account> = {}): Account => ({
  id: 'cm-1',
  email: 'ann@example.com',
  firstName: 'Ann',
  externalId: 'entra-1',
  enabled: true,
  roles: ['A'],
  ...given,
})

const found = (by: FoundBy, given: Partial<Account> = {}) => ({
  by,
  observed: { account: account(given), etag: '"1"' },
})

const plan = (given: Partial<AccountSituation>, policies: Partial<AccountPolicies> = {}): AccountPlan =>
  planAccount(
    {
      standing: 'assigned',
      active: true,
      granted: ['A'],
      wanted: ['A'],
      placeholder: { name: 'Placeholder', exists: true },
      fields: { email: 'ann@example.com', firstName: 'Ann', lastName: undefined, displayName: undefined },
      externalId: 'entra-1',
      found: undefined,
      deletion: undefined,
      enabledBefore: undefined,
      observed: given.found?.observed.account.roles ?? [],
      ...given,
    },
    {
      protectedRoles: [],
      existingAccounts: 'link',
      onDeactivate: 'ignore',
      onUserDelete: 'delete',
      ...policies,
    },
  )

const released = { standing: 'released', wanted: [] } as const
const deleted = { standing: 'deleted', wanted: [], fields: undefined } as const

t.test('an account that is as it should be is left alone', async (t) => {
  t.match(plan({ found: found('link') }), { kind: 'unchanged' })
  t.match(plan({ found: found('link', { email: 'ANN@example.com' }) }), { kind: 'unchanged' })
  t.match(plan({ wanted: ['A', 'B'], granted: ['A', 'B'], found: found('link', { roles: ['B', 'A'] }) }), {
    kind: 'unchanged',
  })
})

t.test('what is missing is created, what differs is replaced', async (t) => {
  t.match(plan({}), { kind: 'create', input: { email: 'ann@example.com', roles: ['A'], enabled: true } })
  t.match(plan({ wanted: ['B'], found: found('link') }), { kind: 'replace', input: { roles: ['B'] } })
  t.match(plan({ found: found('link', { firstName: 'Anna' }) }), {
    kind: 'replace',
    input: { firstName: 'Ann' },
  })
  t.match(plan({ found: found('link', { enabled: false }) }), { kind: 'replace', input: { enabled: true } })
})

t.test('suspension disables the account and keeps its roles', async (t) => {
  const suspend = { onDeactivate: 'suspend' } as const
  t.match(plan({ active: false, found: found('link') }, suspend), {
    kind: 'replace',
    input: { enabled: false, roles: ['A'] },
  })
  t.match(plan({ active: false, found: found('link') }), { kind: 'unchanged' })
})

t.test('a linked account whose user lost the address keeps its own, and its roles follow', async (t) => {
  const fields = { email: undefined, firstName: 'Ann', lastName: undefined, displayName: undefined }
  t.match(plan({ fields, wanted: ['B'], found: found('link') }), {
    kind: 'replace',
    input: { email: 'ann@example.com', roles: ['B'] },
  })
  t.match(plan({ fields }), { kind: 'blocked', reason: 'no_email' })
})

t.test('the end of an account', async (t) => {
  t.match(plan({ ...released, found: found('link') }), { kind: 'delete' })
  t.match(plan({ ...deleted, found: found('external_id') }), { kind: 'delete' })
  t.match(plan({ ...released }), { kind: 'absent' })
  t.match(plan({ ...released, found: found('email') }), { kind: 'absent' }, 'it never was ours')
})

t.test('foreign roles and the end of an account', async (t) => {
  const foreign = found('link', { roles: ['A', 'X'] })
  t.match(plan({ ...released, found: foreign }), { kind: 'replace', input: { roles: ['X'] }, release: false })
  t.match(plan({ ...deleted, found: foreign }), { kind: 'delete' })
  const release = plan({ ...deleted, found: foreign }, { onUserDelete: 'release' })
  t.match(release, { kind: 'replace', input: { roles: ['X'], firstName: 'Ann' }, release: true })
  t.notOk(release.kind === 'replace' && 'externalId' in release.input, 'it is nobody of ours any more')
  t.match(plan({ ...deleted, found: foreign }, { protectedRoles: ['X'] }), {
    kind: 'replace',
    input: { roles: ['X'] },
    release: true,
  })
})

t.test('a deletion that was called off', async (t) => {
  const kept = { deletion: 'kept', found: found('link', { enabled: false, roles: ['A', 'X'] }) } as const
  const change = {
    kind: 'replace',
    input: { enabled: true, roles: ['A', 'X'], firstName: 'Ann' },
    release: false,
  }
  t.match(
    plan({ ...released, ...kept }),
    { ...change, rule: { wanted: ['A'], foreign: ['X'] } },
    'A stays ours',
  )
  t.match(plan({ ...released, ...kept, active: false }, { onDeactivate: 'suspend' }), {
    kind: 'unchanged',
  })
  t.match(plan({ ...deleted, ...kept, enabledBefore: true }), change)
  t.match(
    plan({ ...deleted, ...kept, enabledBefore: false }),
    { kind: 'unchanged' },
    'it had no access before',
  )
  t.match(plan({ ...deleted, ...kept }), { kind: 'unchanged' }, 'it was never held')
  t.match(plan({ ...released, deletion: 'kept' }), { kind: 'absent' }, 'somebody else deleted it')
  t.match(plan({ ...released, ...kept, deletion: 'approved', found: found('link') }), { kind: 'delete' })
})

t.test('an account that was there before', async (t) => {
  const { externalId: _, ...unlinked } = account({ roles: ['X'] })
  const existing = { by: 'email' as const, observed: { account: unlinked, etag: '"1"' } }
  t.match(plan({ found: existing }), { kind: 'replace', input: { roles: ['X', 'A'], externalId: 'entra-1' } })
  t.match(plan({ found: existing }, { existingAccounts: 'refuse' }), {
    kind: 'blocked',
    reason: 'account_exists',
  })
  t.match(plan({ found: found('email', { externalId: 'entra-2' }) }), {
    kind: 'blocked',
    reason: 'account_linked_elsewhere',
  })
})

t.test('without the placeholder role new accounts wait, unless a group names them', async (t) => {
  const placeholder = { name: 'Placeholder', exists: false }
  t.match(plan({ standing: 'awaiting', wanted: [], placeholder }), {
    kind: 'blocked',
    reason: 'placeholder_missing',
  })
  t.match(plan({ placeholder }), { kind: 'create' })
})
