import t from 'tap'
import type { Account } from '../../src/campaign-manager/messages.ts'
import type { ExternalIdHolder } from '../../src/directory/inventory.ts'
import {
  type Drift,
  driftOfAccount,
  driftOfMissing,
  driftOfStray,
} from '../../src/provisioning/find-drift.ts'
import {
  type AccountPolicies,
  type AccountSituation,
  planAccount,
} from '../../src/provisioning/plan-account.ts'

const policies: AccountPolicies = {
  protectedRoles: ['Owner'],
  existingAccounts: 'link',
  onDeactivate: 'suspend',
  onUserDelete: 'delete',
}

/** The drift of Ann's account, who is in the groups Agents and Analyst, as far as nothing else is given. */
function drift(
  change: Partial<Account>,
  situation: Partial<AccountSituation> = {},
  held: readonly string[] = [],
): Drift[] {
  const account: Account = {
    id: 'cm-1',
    email: 'ann@example.com',
    firstName: 'Ann',
    externalId: 'entra-1',
    enabled: true,
    roles: ['Agents', 'Analyst'],
    ...change,
  }
  const plan = planAccount(
    {
      standing: 'assigned',
      active: true,
      granted: ['Agents', 'Analyst'],
      wanted: ['Agents', 'Analyst'],
      observed: account.roles,
      placeholder: { name: 'Placeholder', exists: true },
      fields: { email: 'ann@example.com', firstName: 'Ann', lastName: undefined, displayName: undefined },
      externalId: 'entra-1',
      found: { by: 'link', observed: { account, etag: undefined } },
      deletion: undefined,
      enabledBefore: undefined,
      ...situation,
    },
    policies,
  )
  return driftOfAccount(account, plan, held)
}

t.test('an account that is as it should be', async (t) => {
  t.strictSame(drift({}), [])
  t.strictSame(
    drift({ roles: ['Analyst', 'Agents'], email: 'ANN@example.com' }),
    [],
    'order and case are nothing',
  )
  t.strictSame(drift({ lastName: '' }), [], 'nor is an empty name')
})

t.test('roles given by others are no drift', async (t) => {
  t.strictSame(drift({ roles: ['By hand', 'Agents', 'Owner', 'Analyst'] }), [])
  t.strictSame(drift({ roles: ['By hand'] }, { standing: 'released', wanted: [], granted: [] }), [])
})

t.test('a role that is gone', async (t) => {
  t.strictSame(drift({ roles: ['Agents', 'By hand'] }), [
    { kind: 'roles_missing', detail: "without 'Analyst'", removal: false },
  ])
  t.strictSame(
    drift({ roles: ['Agents'] }, { wanted: ['Agents'] }, ['Analyst']),
    [{ kind: 'roles_missing', detail: "without 'Analyst'", removal: false }],
    'together with the role of that name',
  )
})

t.test('a role of ours that should not be there takes access away when it is mended', async (t) => {
  t.strictSame(drift({}, { wanted: ['Agents'] }), [
    { kind: 'roles_extra', detail: "with 'Analyst'", removal: true },
  ])
  t.strictSame(
    drift({ roles: ['Placeholder', 'Agents', 'Analyst'] }),
    [{ kind: 'roles_extra', detail: "with 'Placeholder'", removal: true }],
    'the placeholder beside others',
  )
  t.strictSame(
    drift({}, { standing: 'released', wanted: [] }),
    [{ kind: 'roles_extra', detail: "with 'Agents', 'Analyst'", removal: true }],
    'an account that should not be at all',
  )
})

t.test('enablement, in both directions', async (t) => {
  t.strictSame(drift({ enabled: false }), [
    { kind: 'disabled', detail: 'disabled, and should be enabled', removal: false },
  ])
  t.strictSame(drift({}, { active: false }), [
    { kind: 'disabled', detail: 'enabled, and should be disabled', removal: true },
  ])
})

t.test('fields edited by hand are named, and their values are not', async (t) => {
  const edit = {
    email: 'eve@example.com',
    firstName: 'Eve',
    lastName: 'X',
    displayName: 'Y',
    externalId: 'Z',
  }
  t.strictSame(drift(edit), [
    { kind: 'edited', detail: 'other email, firstName, lastName, displayName, externalId', removal: false },
  ])
})

t.test('several kinds at once', async (t) => {
  t.strictSame(
    drift({ enabled: false, roles: ['Agents', 'Placeholder'], firstName: 'Eve' }).map(({ kind }) => kind),
    ['roles_missing', 'roles_extra', 'disabled', 'edited'],
  )
})

t.test('a missing account', async (t) => {
  const user = { tenantId: 1, userId: 'u', standing: 'assigned' } as const
  t.match(driftOfMissing({ ...user, accountId: 'cm-1' }), {
    kind: 'account_missing',
    detail: 'the account is not in the inventory',
  })
  t.match(driftOfMissing({ ...user, accountId: undefined }), {
    kind: 'account_missing',
    detail: 'the user has no account',
  })
})

t.test('an account of nobody here', async (t) => {
  const holder = (more: Partial<ExternalIdHolder>): ExternalIdHolder => ({
    tenantId: 1,
    userId: 'u',
    standing: 'assigned',
    linked: false,
    busy: false,
    ...more,
  })
  const stray = (carriers: number, ...holders: ExternalIdHolder[]) =>
    driftOfStray({ accountId: 'cm-1', externalId: 'entra-1', carriers, holders })
  t.match(stray(1), { kind: 'orphan', detail: 'no user has its external id' })
  t.match(stray(1, holder({ standing: 'released' })), { kind: 'orphan', detail: /to have no account/ })
  t.match(stray(2), { kind: 'duplicate', detail: '2 accounts carry its external id' })
  t.match(stray(2, holder({ linked: true })), { kind: 'duplicate', detail: /another account/ })
  t.match(stray(1, holder({ linked: true })), { kind: 'duplicate' }, 'wherever the other account is')
  t.equal(stray(1, holder({})), undefined, 'the account that its user is missing')
  t.equal(stray(2, holder({ busy: true, linked: true })), undefined, 'work is under way')
})
