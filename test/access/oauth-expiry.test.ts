import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createClient, revokeClient, rotateSecret } from '../../src/access/oauth-clients.ts'
import { expiringClients, takeDueClientWarnings } from '../../src/access/oauth-expiry.ts'
import { WARNING_DAYS } from '../../src/access/token-expiry.ts'
import { openDatabase } from '../support/database.ts'

/** A client whose one secret was used just now. */
async function setup(t: Test) {
  const { db } = await openDatabase(t)
  const created = await createClient(db, {
    tenant: 'default',
    name: 'entra',
    access: 'write',
    proof: { secretDays: 365 },
  })
  if ('refused' in created) throw new Error(created.refused)
  const id = created.clientId
  /** Of the secret that was made last, or of the one before. */
  const set = (which: 'newest' | 'older', hoursLeft: number) =>
    sql`update oauth_client_secret set expires_at = now() + make_interval(hours => ${hoursLeft})
      where (created_at = (select max(created_at) from oauth_client_secret)) = ${which === 'newest'}`.execute(
      db,
    )
  const use = () => sql`update oauth_client_secret set last_used_at = now()`.execute(db)
  await use()
  const hoursLeft = async () =>
    (await expiringClients(db)).map(({ credential, expirySeconds }) => {
      t.equal(credential, `client:${id}`)
      return Math.round(expirySeconds / 3600)
    })
  const warned = async () => (await takeDueClientWarnings(db, WARNING_DAYS)).map(({ days }) => days)
  const rotate = () => rotateSecret(db, 'default', id, { overlapHours: 24, secretDays: 365 })
  return { db, id, set, use, hoursLeft, warned, rotate }
}

t.test('a client is warned of once at each threshold', async (t) => {
  const { set, warned, hoursLeft } = await setup(t)
  t.strictSame(await warned(), [])
  for (const [hours, days] of [
    [24 * 30 - 1, 30],
    [24 * 14 - 1, 14],
    [23, 1],
  ] as const) {
    await set('newest', hours)
    t.strictSame(await Promise.all([warned(), warned()]).then((both) => both.flat()), [days])
    t.strictSame(await warned(), [])
    t.strictSame(await hoursLeft(), [hours])
  }
})

t.test('after a rotation the end of the older secret matters while the client still uses it', async (t) => {
  const { set, use, warned, hoursLeft, rotate } = await setup(t)
  await rotate()
  t.strictSame(await hoursLeft(), [365 * 24])
  t.strictSame(await warned(), [])
  await use()
  t.strictSame(await hoursLeft(), [24])
  t.strictSame(await warned(), [1])
  await set('older', -1)
  t.strictSame(await hoursLeft(), [365 * 24], 'over: nothing more to be done')
})

t.test('what nobody can mend, or has to, is not reported', async (t) => {
  const { db, id, set, warned, hoursLeft } = await setup(t)
  await set('newest', -24)
  t.strictSame(await hoursLeft(), [-24], 'for a month')
  t.strictSame(await warned(), [])
  await set('newest', -24 * 31)
  t.strictSame(await hoursLeft(), [])
  await set('newest', 24)
  await revokeClient(db, 'default', id)
  t.strictSame(await hoursLeft(), [])
  t.strictSame(await warned(), [])
})
