import { type Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { createExpiryWatch, expiringTokens } from '../../src/access/token-expiry.ts'
import { issueToken, revokeToken, rotateToken } from '../../src/access/tokens.ts'
import type { Database } from '../../src/db/tables.ts'
import { openDatabase } from '../support/database.ts'

t.test('a token in use is warned of once at 30, 14, 7 and 1 days', async (t) => {
  const { db, watch, warnings, issue, setLeft } = await setup(t)
  const id = await issue(365)
  await use(id, db)
  const steps: [hoursLeft: number, warned: RegExp | undefined][] = [
    [24 * 31, undefined],
    [24 * 30 - 1, /less than 30 days/],
    [24 * 29, undefined],
    [24 * 14 - 1, /less than 14 days/],
    [24 * 7 - 1, /less than 7 days/],
    [24 * 2, undefined],
    [23, /less than 1 day:/],
    [1, undefined],
  ]
  for (const [hours, warned] of steps) {
    await setLeft(id, hours)
    warnings.length = 0
    await watch.runOnce()
    t.match(
      warnings,
      warned ? [{ message: warned, tenant: 'default', credential: `token:${id}`, name: 'entra' }] : [],
      `${hours} hours left`,
    )
    t.equal(warnings.length, warned ? 1 : 0)
  }
})

t.test('one warning for what several thresholds would say', async (t) => {
  const { db, watch, warnings, issue } = await setup(t)
  await use(await issue(3), db)
  t.equal(await watch.runOnce(), 1)
  t.match(warnings, [{ message: /less than 7 days/ }])
})

t.test('of many processes one warns', async (t) => {
  const { db, warnings, log, issue } = await setup(t)
  await use(await issue(3), db)
  await use(await issue(20), db)
  const watches = Array.from({ length: 5 }, () => createExpiryWatch({ db, intervalMs: 1000, log }))
  const written = await Promise.all(watches.map((watch) => watch.runOnce()))
  t.equal(
    written.reduce((sum, each) => sum + each, 0),
    2,
  )
  t.equal(warnings.length, 2)
})

t.test('nobody is warned of what does not matter', async (t) => {
  const { db, watch, warnings, issue, setLeft } = await setup(t)
  await issue(3) // never used
  const [revoked, expired, replaced, eternal] = [
    await issue(3),
    await issue(3),
    await issue(3),
    await issue(undefined),
  ]
  for (const id of [revoked, expired, replaced, eternal]) await use(id, db)
  await revokeToken(db, 'default', revoked)
  await setLeft(expired, -1)
  await rotateToken(db, 'default', replaced, { overlapHours: 24, days: 365 })
  t.equal(await watch.runOnce(), 0)
  t.same(warnings, [])

  await sql`update scim_token set last_used_at = now() + interval '1 minute' where token_id = ${replaced}`.execute(
    db,
  )
  await watch.runOnce()
  t.match(warnings, [{ credential: `token:${replaced}`, message: /1 day/ }], 'it is used after its rotation')
})

t.test('the duty looks at its start, and a look under way is over when it has stopped', async (t) => {
  const { db, watch, warnings, issue } = await setup(t)
  await use(await issue(3), db)
  watch.start()
  await watch.stop()
  t.equal(warnings.length, 1)
})

t.test('a store that is away is logged, and ends nothing', async (t) => {
  const { db, watch, warnings } = await setup(t)
  await sql`alter table scim_token rename to elsewhere`.execute(db)
  await t.rejects(watch.runOnce(), { code: '42P01', message: /scim_token/ })
  watch.start()
  await watch.stop()
  t.match(warnings, [{ message: /cannot be read/ }])
  await sql`alter table elsewhere rename to scim_token`.execute(db)
})

t.test(
  'the metric: what will expire, or has in the last 30 days; not what was ended on purpose',
  async (t) => {
    const { db, issue, setLeft } = await setup(t)
    const coming = await issue(10)
    const [gone, longGone, revoked, replaced, switched] = [
      await issue(10),
      await issue(10),
      await issue(10),
      await issue(10),
      await issue(10),
    ]
    await issue(undefined)
    await setLeft(gone, -29 * 24)
    await setLeft(longGone, -31 * 24)
    await revokeToken(db, 'default', revoked)
    const days = 365
    const overlapHours = 24
    const successors = [replaced, switched].map((id) =>
      rotateToken(db, 'default', id, { overlapHours, days }),
    )
    const [first, second] = await Promise.all(successors)
    await sql`update scim_token set last_used_at = now() + interval '1 minute' where token_id = ${replaced}`.execute(
      db,
    )
    const hoursLeft = async () =>
      Object.fromEntries(
        (await expiringTokens(db)).map(({ tenant, credential, expirySeconds }) => [
          `${tenant} ${credential}`,
          Math.round(expirySeconds / 3600),
        ]),
      )
    const idOf = (rotation: typeof first) =>
      rotation && 'successor' in rotation ? rotation.successor.id : 'refused'
    const always = {
      [`default token:${coming}`]: 240,
      [`default token:${gone}`]: -29 * 24,
      [`default token:${idOf(first)}`]: 365 * 24,
      [`default token:${idOf(second)}`]: 365 * 24,
    }
    t.same(await hoursLeft(), { ...always, [`default token:${replaced}`]: 24 }, 'one replaced is still used')
    await setLeft(replaced, -1)
    t.same(await hoursLeft(), always, 'until it has ended')
    await sql`update tenant set disabled_at = now()`.execute(db)
    t.same(await hoursLeft(), {}, 'a disabled tenant has none that anybody must renew')
  },
)

const use = (id: string, db: Kysely<Database>) =>
  db.updateTable('scim_token').set({ last_used_at: sql`now()` }).where('token_id', '=', id).execute()

async function setup(t: Test) {
  const { db } = await openDatabase(t)
  const warnings: object[] = []
  const log = { warn: (fields: object, message: string) => warnings.push({ ...fields, message }) }
  return {
    db,
    log,
    warnings,
    watch: createExpiryWatch({ db, intervalMs: 3_600_000, log }),
    async issue(days: number | undefined) {
      return (await issueToken(db, 'default', 'entra', days))?.id ?? ''
    },
    setLeft: (id: string, hours: number) =>
      db
        .updateTable('scim_token')
        .set({ expires_at: sql`now() + make_interval(hours => ${hours}::integer)` })
        .where('token_id', '=', id)
        .execute(),
  }
}
