import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createCampaignManagerClient } from '../../src/campaign-manager/client.ts'
import { createRoleCatalog } from '../../src/campaign-manager/role-catalog.ts'
import { systemClock } from '../../src/clock.ts'
import { type ReconcileContext, reconcileUser } from '../../src/provisioning/reconcile-user.ts'
import {
  type Claim,
  claimDirty,
  finishClaim,
  holdClaim,
  postponeClaim,
  releaseClaim,
  renewClaims,
} from '../../src/reconcile/dirty-set.ts'
import { markDirty } from '../../src/reconcile/mark-users.ts'
import type { RequestRecord } from '../../src/sandbox/request-log.ts'
import { openDatabase } from '../support/database.ts'
import { type ListeningSandbox, startSandbox } from '../support/sandbox.ts'
import { addMembers, groupBody, removeMembers, userBody } from '../support/scim-client.ts'
import { CAMPAIGN_MANAGER_TOKEN, startTestService, type TestService } from '../support/service.ts'

type Db = TestService['database']['db']

/** Accounts of deleted users need no users, and are enough to be claimed. */
async function insertDirty(db: Db, count: number): Promise<void> {
  await sql`
    with added as (
      insert into account (tenant_id, user_id, standing)
      select 1, gen_random_uuid(), 'deleted' from generate_series(1, ${count}::integer) returning tenant_id, user_id
    ) insert into dirty_user (tenant_id, user_id) select tenant_id, user_id from added`.execute(db)
}

const expireLeases = (db: Db) =>
  sql`update dirty_user set leased_until = now() - interval '1 second' where lease is not null`.execute(db)

async function claimOne(db: Db): Promise<Claim> {
  const [claim] = await claimDirty(db, 1)
  if (!claim) throw new Error('nothing to claim')
  return claim
}

const dirtyRow = async (db: Db) =>
  (
    await sql<{
      generation: string
      lease: string | null
      attempts: number
      due: boolean
      failure: string | null
    }>`
      select generation, lease, attempts, not_before <= now() as due, failure from dirty_user`.execute(db)
  ).rows[0]

const inTransaction = <T>(db: Db, run: Parameters<ReturnType<Db['transaction']>['execute']>[0]) =>
  db.transaction().execute(run) as Promise<T>

t.test('many workers never hold one user', async (t) => {
  const { db } = await openDatabase(t)
  await insertDirty(db, 200)
  const claimed: string[] = []
  const worker = async () => {
    while (claimed.length <= 200) {
      const claims = await claimDirty(db, 7)
      if (claims.length === 0) return
      claimed.push(...claims.map(({ userId }) => userId))
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  t.equal(claimed.length, 200)
  t.equal(new Set(claimed).size, 200, 'each user was claimed once')
})

t.test('a lease that ran out is taken over, and the late worker changes nothing', async (t) => {
  const { db } = await openDatabase(t)
  await insertDirty(db, 1)
  const late = await claimOne(db)
  t.same(await claimDirty(db, 1), [], 'nobody else may have it')

  await expireLeases(db)
  t.equal(
    await inTransaction(db, (trx) => holdClaim(trx, late)),
    false,
    'nothing may be recorded once the lease ran out, even if nobody took over',
  )
  const holder = await claimOne(db)
  t.not(holder.lease, late.lease)
  const held = await dirtyRow(db)

  t.equal(await inTransaction(db, (trx) => holdClaim(trx, late)), false)
  t.equal(await inTransaction(db, (trx) => finishClaim(trx, late)), false)
  await releaseClaim(db, late)
  await postponeClaim(db, late, { reason: 'late', detail: 'too late' }, 1000)
  await renewClaims(db, [late])
  t.same(await dirtyRow(db), held, 'the row is as the holder left it')

  t.equal(await inTransaction(db, (trx) => holdClaim(trx, holder)), true)
  t.equal(await inTransaction(db, (trx) => finishClaim(trx, holder)), true)
  t.equal(await dirtyRow(db), undefined)
})

t.test('a heartbeat keeps a claim', async (t) => {
  const { db } = await openDatabase(t)
  await insertDirty(db, 1)
  const claim = await claimOne(db)
  await sql`update dirty_user set leased_until = now() + interval '1 second'`.execute(db)
  await renewClaims(db, [claim])
  const { rows } = await sql<{ renewed: boolean }>`
    select leased_until > now() + interval '50 seconds' as renewed from dirty_user`.execute(db)
  t.same(rows, [{ renewed: true }])
})

t.test('a change during a reconciliation leaves the user dirty and due', async (t) => {
  const { db } = await openDatabase(t)
  await insertDirty(db, 1)
  const first = await claimOne(db)
  await inTransaction(db, (trx) => markDirty(trx, first.tenantId, [first.userId]))
  t.same(await claimDirty(db, 1), [], 'a change does not take the claim away')
  t.equal(await inTransaction(db, (trx) => finishClaim(trx, first)), false)
  t.match(await dirtyRow(db), { generation: '2', lease: null, due: true })

  const second = await claimOne(db)
  t.equal(second.generation, '2')
  await inTransaction(db, (trx) => markDirty(trx, second.tenantId, [second.userId]))
  await postponeClaim(db, second, { reason: 'rate_limited', detail: 'asked to wait' }, 60_000)
  t.match(
    await dirtyRow(db),
    { generation: '3', lease: null, due: true, attempts: 0 },
    'the wait of a failure is not the wait of the change that came meanwhile',
  )

  const third = await claimOne(db)
  await postponeClaim(db, third, { reason: 'rate_limited', detail: 'asked to wait' }, 60_000)
  t.match(await dirtyRow(db), { generation: '3', lease: null, due: false, failure: 'rate_limited' })
  t.same(await claimDirty(db, 1), [], 'without a change it waits')
})

interface Setting {
  readonly service: TestService
  readonly sandbox: ListeningSandbox
  readonly context: ReconcileContext
  readonly annId: string
  readonly groupId: string
}

/** Ann, with the role of her group unless told otherwise; and what a worker of another process has at hand. */
async function setting(t: Test, { joined = true } = {}): Promise<Setting> {
  const sandbox = await startSandbox(t)
  const service = await startTestService(t, { env: { CAMPAIGN_MANAGER_URL: sandbox.url } })
  const { scim } = service
  const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const annId = (await scim('POST', '/Users', userBody('ann'))).body.id
  if (joined) {
    await scim('PATCH', `/Groups/${groupId}`, addMembers(annId))
    await service.settle()
  }
  sandbox.state.resetRequests()
  const { db } = service.database
  const campaignManager = createCampaignManagerClient({
    baseUrl: sandbox.url,
    token: CAMPAIGN_MANAGER_TOKEN,
    timeoutMs: 60_000,
    now: systemClock.now,
    monotonic: systemClock.monotonic,
  })
  t.teardown(() => campaignManager.close())
  const context: ReconcileContext = {
    db,
    campaignManager,
    roleCatalog: createRoleCatalog({ campaignManager, ttlMs: 60_000, now: systemClock.monotonic }),
    placeholderRole: 'Placeholder',
    policies: {
      protectedRoles: [],
      existingAccounts: 'link',
      onDeactivate: 'ignore',
      onUserDelete: 'delete',
    },
    mayDelete: async () => true,
    log: { warn: () => {} },
    onDrift: () => {},
    onRoleChange: () => {},
  }
  return { service, sandbox, context, annId, groupId }
}

/** Holds the first write that Campaign Manager is asked for, before or after it is carried out. */
function holdFirstWrite(
  sandbox: ListeningSandbox,
  moment: 'onRequest' | 'onApplied',
): { reached: Promise<void>; release: () => void } {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let first = true
  sandbox.state[moment] = async ({ method }: RequestRecord) => {
    if (method === 'GET' || !first) return
    first = false
    reached.resolve()
    await released.promise
  }
  return { reached: reached.promise, release: released.resolve }
}

const account = (service: TestService) =>
  sql`select standing, campaign_manager_id, granted, foreign_roles, email, create_key, observed_at from account`
    .execute(service.database.db)
    .then(({ rows }) => rows)

/**
 * A worker stops in the middle of a write until its lease has run out; meanwhile `change` happens and another worker
 * sees to it; then the first write arrives. Returns what both left behind.
 */
async function lateWrite(
  { service, sandbox, context }: Setting,
  moment: 'onRequest' | 'onApplied',
  change: () => Promise<unknown>,
) {
  const { db } = service.database
  const hold = holdFirstWrite(sandbox, moment)
  const claim = await claimOne(db)
  const late = reconcileUser(context, claim)
  await hold.reached
  await change()
  await expireLeases(db)
  await service.retry()
  const recorded = await account(service)
  hold.release()
  const attempt = await late
  // What the late worker left undone is done by whoever comes next; nothing is left for a resync to find.
  await service.retry()
  return { attempt, before: recorded, after: await account(service) }
}

for (const moment of ['onRequest', 'onApplied'] as const) {
  const when = moment === 'onRequest' ? 'before' : 'after'

  t.test(`a worker that stopped ${when} its creation was carried out records nothing`, async (t) => {
    const at = await setting(t, { joined: false })
    const { attempt, before, after } = await lateWrite(at, moment, () =>
      at.service.scim('PATCH', `/Groups/${at.groupId}`, addMembers(at.annId)),
    )
    t.not(attempt.kind, 'done')
    t.same(after, before, 'the record is the other worker’s')
    t.same(
      at.sandbox.state.users().map(({ roles }) => roles),
      [['Campaign Editor']],
    )
  })

  t.test(`a worker that stopped ${when} its change was carried out records nothing`, async (t) => {
    const at = await setting(t)
    const { scim } = at.service
    const viewer = (await scim('POST', '/Groups', groupBody('Campaign Viewer'))).body.id
    await scim('PATCH', `/Groups/${viewer}`, addMembers(at.annId))
    const { attempt, before, after } = await lateWrite(at, moment, () =>
      scim('PATCH', `/Groups/${at.groupId}`, removeMembers(at.annId)),
    )
    t.same(attempt, { kind: 'lost' })
    t.same(after, before, 'the record is the other worker’s')
    t.same(
      at.sandbox.state.users().map(({ roles }) => roles),
      [['Campaign Viewer']],
    )
  })

  t.test(`a worker that stopped ${when} its deletion was carried out records nothing`, async (t) => {
    const at = await setting(t)
    const { scim } = at.service
    const viewer = (await scim('POST', '/Groups', groupBody('Campaign Viewer'))).body.id
    await scim('PATCH', `/Groups/${at.groupId}`, removeMembers(at.annId))
    const { attempt } = await lateWrite(at, moment, () =>
      scim('PATCH', `/Groups/${viewer}`, addMembers(at.annId)),
    )
    t.same(attempt, { kind: 'lost' })
    t.same(
      at.sandbox.state.users().map(({ roles }) => roles),
      [['Campaign Viewer']],
    )
    t.match(await account(at.service), [{ granted: ['Campaign Viewer'], standing: 'assigned' }])
  })

  // The other worker finds the account as it should be and writes nothing, so its version does not change: If-Match does
  // not stop the late deletion.
  t.test(
    `a deletion that stopped ${when} it was carried out and is no longer wanted is mended`,
    async (t) => {
      const at = await setting(t)
      const { scim } = at.service
      await scim('PATCH', `/Groups/${at.groupId}`, removeMembers(at.annId))
      await lateWrite(at, moment, () => scim('PATCH', `/Groups/${at.groupId}`, addMembers(at.annId)))
      t.same(
        at.sandbox.state.users().map(({ roles }) => roles),
        [['Campaign Editor']],
      )
    },
  )
}

t.test('a change during a reconciliation is seen to after it', async (t) => {
  const at = await setting(t, { joined: false })
  const { service, sandbox, context, annId, groupId } = at
  const hold = holdFirstWrite(sandbox, 'onRequest')
  const late = reconcileUser(context, await claimOne(service.database.db))
  await hold.reached
  await service.scim('PATCH', `/Groups/${groupId}`, addMembers(annId))
  await service.settle()
  t.same(sandbox.state.users(), [], 'the other worker leaves the claimed user alone')
  hold.release()
  t.match(await late, { kind: 'done', outcome: 'created' })
  t.same(
    sandbox.state.users().map(({ roles }) => roles),
    [['Placeholder']],
  )
  t.match(await dirtyRow(service.database.db), { lease: null, due: true }, 'still dirty')
  await service.settle()
  t.same(
    sandbox.state.users().map(({ roles }) => roles),
    [['Campaign Editor']],
  )
  t.equal(await dirtyRow(service.database.db), undefined)
})
