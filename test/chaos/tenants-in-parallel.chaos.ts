import t from 'tap'
import { twoTenantsAtOnce } from '../security/tenants-in-parallel.ts'

t.setTimeout(3_600_000)

t.test('two tenants at once, 2,000 users each: nothing of one is in the other’s answers', async (t) => {
  const users = Number(process.env.TENANT_USERS ?? 2000)
  await twoTenantsAtOnce(t, users)
  t.comment(`creations: ${2 * users}`)
})
