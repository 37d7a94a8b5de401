import t, { type Test } from 'tap'
import { createMetrics, type MetricsOptions } from '../src/metrics.ts'

const readings = {
  pending: 3,
  failing: 1,
  oldestSeconds: 40,
  oldestRemovalSeconds: 20,
  inactiveWithAccess: 2,
  deletionsHeld: 0,
  lastScimWriteSeconds: 1_760_000_000,
  credentials: [{ tenant: 'default', credential: 'token:1', expirySeconds: 3600 }],
}

const FROM_STORE =
  /^scim_bridge_(reconcile_(pending|failing|oldest)|inactive_users|deletions_held|last_scim_write|credential_expiry)/

function setup(t: Test, reads: Partial<Pick<MetricsOptions, 'readStore' | 'readAccounts'>>) {
  // The limit alone keeps no process running.
  const running = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(running))
  const given = {
    readStore: async () => readings,
    readAccounts: async () => new Map([['assigned', 5]]),
    ...reads,
  }
  const metrics = createMetrics({
    readStore: () => given.readStore(),
    readAccounts: () => given.readAccounts(),
    patienceMs: 20,
    circuitOpen: () => false,
    credentialsRefused: () => false,
    tenantsUnusable: () => 0,
    onError: () => {},
  })
  const scrape = async () => (await metrics.scrape()).text.split('\n')
  const isUp = async (lines: string[], expected: number) =>
    t.ok(lines.includes(`scim_bridge_database_up ${expected}`), `database_up ${expected}`)
  return { given, scrape, isUp }
}

for (const [how, fails] of [
  ['cannot be asked', () => Promise.reject(new Error('away'))],
  ['does not answer', () => new Promise<never>(() => {})],
] as const) {
  t.test(`a store that ${how} is said to be, and what it last said is not repeated`, async (t) => {
    const { given, scrape, isUp } = setup(t, {})
    const before = await scrape()
    await isUp(before, 1)
    t.equal(before.filter((line) => FROM_STORE.test(line)).length, 8)

    Object.assign(given, { readStore: fails, readAccounts: fails })
    const meanwhile = await scrape()
    await isUp(meanwhile, 0)
    t.strictSame(
      meanwhile.filter((line) => FROM_STORE.test(line) || line.startsWith('scim_bridge_accounts')),
      [],
    )
    t.ok(meanwhile.includes('scim_bridge_campaign_manager_circuit_open 0'), 'what it does not need is there')

    Object.assign(given, { readStore: async () => readings })
    const after = await scrape()
    await isUp(after, 1)
    t.ok(after.includes('scim_bridge_reconcile_pending 3'))
  })
}

t.test('accounts that take too long to count are left out alone', async (t) => {
  const { scrape, isUp } = setup(t, { readAccounts: () => new Promise(() => {}) })
  const lines = await scrape()
  await isUp(lines, 1)
  t.ok(lines.includes('scim_bridge_reconcile_pending 3'))
  t.strictSame(
    lines.filter((line) => line.startsWith('scim_bridge_accounts')),
    [],
  )
})

t.test('where no client ever wrote there is no time of it', async (t) => {
  const { scrape } = setup(t, { readStore: async () => ({ ...readings, lastScimWriteSeconds: undefined }) })
  t.notOk((await scrape()).some((line) => line.startsWith('scim_bridge_last_scim_write')))
})
