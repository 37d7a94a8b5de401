import t, { type Test } from 'tap'
import { emailOf, entra, userNameOf } from '../e2e/setup.ts'
import { callCommand } from '../support/command.ts'
import { CAMPAIGN_MANAGER_TOKEN, startTestService, type TestService } from '../support/service.ts'

const settingsOf = ({ database, campaignManagerUrl }: TestService) => ({
  DATABASE_URL: database.url,
  CAMPAIGN_MANAGER_URL: campaignManagerUrl,
  CAMPAIGN_MANAGER_TOKEN,
})

/** Ann and Bob of the group Agents, with accounts. */
async function annAndBob(t: Test) {
  const service = await startTestService(t)
  const actor = entra(t, service)
  await actor.createGroup('Agents')
  await actor.createUser('ann')
  await actor.createUser('bob')
  await actor.add('Agents', 'ann', 'bob')
  await service.settle()
  const idOf = (name: string) => service.sandbox.state.userByEmail(emailOf(name))?.id ?? ''
  const { pool } = service.database
  return {
    service,
    actor,
    idOf,
    state: service.sandbox.state,
    drift: (...args: string[]) => callCommand(['drift', ...args], settingsOf(service)),
    rowsOf: async (table: string) => (await pool.query(`select from ${table}`)).rowCount,
  }
}

t.test('nothing differs', async (t) => {
  const { drift } = await annAndBob(t)
  const [table, json, repaired] = await Promise.all([drift(), drift('--json'), drift('--repair')])
  t.match(table, { status: 0, stdout: 'Every account is as it should be.\n', stderr: '' })
  t.match(json, { status: 0, stdout: '[]\n', stderr: '' })
  t.match(repaired, { status: 0, stdout: 'Every account is as it should be.\n', stderr: '' })
})

t.test('what differs is listed, and changed only with --repair', async (t) => {
  const { service, actor, idOf, state, drift, rowsOf } = await annAndBob(t)
  state.editUser(idOf('ann'), { enabled: false })
  const orphan = state.putUser({ email: 'orphan@example.com', externalId: 'entra-nobody' })

  const [reported, json] = await Promise.all([drift(), drift('--json')])
  t.match(reported, { status: 1, stderr: /nothing was changed/ })
  t.match(reported.stdout, /^KIND +TENANT +USER +USER NAME +ACCOUNT +DETAIL\n/)
  const ann = [actor.idOf('ann'), userNameOf('ann'), idOf('ann'), 'disabled, and should be enabled']
  t.match(reported.stdout, new RegExp(`^disabled +default +${ann.join(' +')}$`, 'm'))
  t.match(reported.stdout, new RegExp(`^orphan +- +- +- +${orphan.id} +no user has its external id$`, 'm'))
  t.equal(json.status, 1)
  t.strictSame(JSON.parse(json.stdout), [
    {
      campaignManager: null,
      kind: 'disabled',
      tenant: 'default',
      userId: actor.idOf('ann'),
      userName: userNameOf('ann'),
      accountId: idOf('ann'),
      detail: 'disabled, and should be enabled',
      marked: false,
    },
    {
      campaignManager: null,
      kind: 'orphan',
      tenant: null,
      userId: null,
      userName: null,
      accountId: orphan.id,
      detail: 'no user has its external id',
      marked: false,
    },
  ])
  for (const table of ['dirty_user', 'inventory_account', 'drift_finding', 'inventory_walk']) {
    t.equal(await rowsOf(table), 0, `nothing is left in ${table}`)
  }

  const repaired = await drift('--repair')
  t.match(repaired, { status: 0, stderr: '1 user marked; a running service mends the account\n' })
  t.equal(await rowsOf('dirty_user'), 1)
  await service.settle()
  t.equal(state.userByEmail(emailOf('ann'))?.enabled, true)
  const again = await drift('--repair', '--json')
  t.equal(again.status, 0)
  t.match(JSON.parse(again.stdout), [{ kind: 'orphan', marked: false }])
})

t.test('--repair tries parked users again, and held deletions are told', async (t) => {
  const { service, actor, state, drift } = await annAndBob(t)
  await actor.createUser('cleo', { userName: 'cleo', emails: [] })
  await service.settle()
  const due = async () => {
    const { rows } = await service.database.pool.query(
      'select failure, not_before <= now() as due from dirty_user',
    )
    return rows
  }
  t.strictSame(await due(), [{ failure: 'no_email', due: false }])
  const waits = new RegExp(
    `^tenant default: the account of ${actor.idOf('cleo')} \\(cleo\\) is not .* because of no_email`,
  )
  const waiting = { status: 1, stdout: 'Every other account is as it should be.\n', stderr: waits }
  t.match(await drift(), waiting)
  t.strictSame(await due(), [{ failure: 'no_email', due: false }], 'a report changes nothing')
  t.match(await drift('--repair'), { ...waiting, status: 0 })
  t.strictSame(await due(), [{ failure: 'no_email', due: true }])

  const guarded = await startTestService(t, {
    beside: service,
    env: { DELETION_GUARD_COUNT: '1', DELETION_GUARD_PERCENT: '1' },
  })
  await actor.remove('Agents', 'ann', 'bob')
  await guarded.settle()
  t.equal(state.userByEmail(emailOf('ann'))?.enabled, false)
  const { status, stderr } = await drift()
  t.equal(status, 1)
  t.match(
    stderr,
    /^.*no_email.*\ntenant default: 2 deletions are held, 2 of the accounts disabled; "tenant deletions accounts" says whose\n$/,
  )

  await actor.deleteUser('cleo')
  const removed = new RegExp(
    `^tenant default: the account of ${actor.idOf('cleo')} \\(cleo\\) is not .* \\(access is to end\\)`,
  )
  t.match(await drift(), { status: 1, stderr: removed }, 'the deleted are named too')
})

t.test('failures and wrong use', async (t) => {
  const { service, actor, state, drift } = await annAndBob(t)
  state.faults.set({ kind: 'error', status: 503 })
  await actor.remove('Agents', 'bob')
  const { CAMPAIGN_MANAGER_URL: _, ...incomplete } = settingsOf(service)
  const [failed, unknown, without] = await Promise.all([
    drift('--json'),
    drift('--quickly'),
    callCommand(['drift'], incomplete),
  ])
  t.match(failed, { status: 1, stdout: '', stderr: /503 unavailable to list_accounts/ })
  const bob = new RegExp(
    `^tenant default: the account of ${actor.idOf('bob')} .*access is to end.*not tried since`,
  )
  t.match(failed.stderr, bob, 'who waits is told all the same')
  t.match(unknown, { status: 2, stdout: '', stderr: /--quickly/ })
  t.match(without, { status: 2, stdout: '', stderr: /^CAMPAIGN_MANAGER_URL: must be set/m })
})
