import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { createSandbox } from '../../src/sandbox/server.ts'
import { openDatabase } from '../support/database.ts'
import { CAMPAIGN_MANAGER_TOKEN } from '../support/service.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { startCampaignManagerFront } from './campaign-manager-front.ts'
import { printFigures, seconds } from './figures.ts'
import { memoryOf } from './memory.ts'
import { waitUntil } from './waiting.ts'

export interface LongOutageFigures {
  /** In MiB, soon after the start, at the end of the outage, and the most ever. */
  readonly memory: readonly [start: number, end: number, peak: number]
}

const HOUR = 3_600_000

/** Everybody is new and Campaign Manager is away; when it is back, everybody gets an account, in one pass. */
export async function longOutage(t: Test, users: number, awayMs: number): Promise<LongOutageFigures> {
  const { url, pool } = await openDatabase(t)
  const sandbox = createSandbox({
    now: systemClock.now,
    token: CAMPAIGN_MANAGER_TOKEN,
    keepRequests: users * 20,
  })
  const sandboxUrl = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  const front = await startCampaignManagerFront(t, sandboxUrl)
  await front.set('unavailable')
  const { child } = await startServiceProcess(t, {
    databaseUrl: url,
    campaignManagerUrl: front.url,
    env: { DELETION_GUARD_COUNT: '0', CAMPAIGN_MANAGER_CONCURRENCY: '16' },
  })
  const before = await memoryOf(child.pid)
  await insertDirtyUsers((text, values) => pool.query(text, values), users)

  const samples: number[] = []
  // The breaker has opened by then: what comes later are its probes, of which none begins before the last has ended.
  await waitUntil('it is known that Campaign Manager is away', 60_000, () => front.refused >= 5)
  await pause(2000)
  const early = front.refused
  const openSince = performance.now()
  let mostAtOnce = 0
  while (performance.now() - openSince < awayMs) {
    await pause(250)
    samples.push((await memoryOf(child.pid))?.now ?? 0)
    mostAtOnce = Math.max(mostAtOnce, front.atOnce)
  }
  const probes = front.refused - early
  const atEnd = await memoryOf(child.pid)
  await front.set('reachable')
  const back = performance.now()
  await waitUntil('everybody has an account', HOUR, async () => {
    await pause(1000)
    return (await pool.query('select from dirty_user limit 1')).rowCount === 0
  })
  const deliveredMs = performance.now() - back
  const after = await memoryOf(child.pid)
  const posts = sandbox.state.requests.filter(({ method }) => method === 'POST').length
  const others = sandbox.state.requests.filter(({ method }) => method === 'PUT' || method === 'DELETE').length

  printFigures(t, {
    users,
    'requests refused until the breaker was open': early,
    [`probes in ${seconds(awayMs)} while it was open`]: probes,
    'the most at once': mostAtOnce,
    'memory at the start, at the end of the outage, after delivery, at its most': `${before?.now}, ${atEnd?.now}, ${after?.now}, ${after?.peak} MiB`,
    'delivered after': `${seconds(deliveredMs)}, ${Math.round(users / (deliveredMs / 1000))} a second`,
    'calls for each user': (sandbox.state.requests.length / users).toFixed(2),
  })
  t.ok(mostAtOnce <= 1, 'while the breaker is open, one probe at a time')
  t.equal(posts, users, 'everybody is created once')
  t.equal(others, 0, 'and nothing else is written')
  t.equal(sandbox.state.users().length, users)
  return { memory: [before?.now ?? 0, atEnd?.now ?? 0, after?.peak ?? 0] }
}

type Query = (text: string, values?: unknown[]) => Promise<unknown>

/** As POST /Users leaves them. */
async function insertDirtyUsers(query: Query, count: number): Promise<void> {
  await query(
    `with made as (
       select gen_random_uuid() as id, 'long-' || n as name from generate_series(1, $1::integer) as n
     ), accounts as (
       insert into account (tenant_id, user_id, standing)
       select (select tenant_id from tenant where name = 'default'), id, 'awaiting' from made returning tenant_id, user_id
     ), users as (
       insert into scim_user (tenant_id, id, attributes, search)
       select tenant_id, id,
         jsonb_build_object('userName', name || '@example.com', 'externalId', 'entra-' || name, 'active', true,
           'displayName', name, 'emails',
           jsonb_build_array(jsonb_build_object('value', name || '@example.com', 'type', 'work', 'primary', true))),
         jsonb_build_object('userName', name || '@example.com', 'externalId', 'entra-' || name, 'active', true,
           'displayName', name, 'emails',
           jsonb_build_array(jsonb_build_object('value', name || '@example.com', 'type', 'work', 'primary', true)))
       from made join accounts on accounts.user_id = made.id returning tenant_id, id
     )
     insert into dirty_user (tenant_id, user_id) select tenant_id, id from users`,
    [count],
  )
  await query('analyze')
}
