import t from 'tap'
import { setup } from './setup.ts'

const user = { email: 'cy@contoso.example', roles: ['Analyst'] }

t.test('a rule is limited by method, route, account and count', async (t) => {
  const { ask, state } = await setup(t)
  const { id } = state.putUser(user)
  state.putUser({ ...user, email: 'di@contoso.example' })
  const status = async (method: string, path: string, body?: unknown) =>
    (await ask(method, path, body)).status

  state.faults.set({ kind: 'error', method: 'PUT' })
  t.equal(await status('PUT', `/users/${id}`, user), 500)
  t.equal(await status('GET', `/users/${id}`), 200)

  state.faults.set({ kind: 'error', route: 'roles', status: 503 })
  t.equal(await status('GET', '/roles'), 503)
  t.equal(await status('GET', '/users'), 200)

  state.faults.set({ kind: 'error', emailOrId: 'CY@contoso.example' })
  t.equal(await status('GET', '/users?email=cy@contoso.example'), 500, 'by the address asked for')
  t.equal(await status('POST', '/users', user), 500, 'by the address to create')
  t.equal(await status('GET', `/users/${id}`), 500, 'by the address of the account of this id')
  t.equal(await status('GET', '/users?email=di@contoso.example'), 200)

  state.faults.set({ kind: 'unauthorized', emailOrId: id, times: 2 })
  t.equal(await status('GET', `/users/${id}`), 401)
  t.match(state.faults.rules(), [{ kind: 'unauthorized', times: 1 }])
  t.equal(await status('GET', '/users'), 200)
  t.equal(await status('GET', `/users/${id}`), 401)
  t.equal(await status('GET', `/users/${id}`), 200)
  t.strictSame(state.faults.rules(), [])

  state.faults.set({ kind: 'error' })
  state.faults.clear()
  t.equal(await status('GET', '/users'), 200)
})

t.test('of several rules the first that matches wins', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'rate_limited', times: 1, retryAfter: 7 }, { kind: 'error', status: 503 })
  const first = await ask('GET', '/users')
  t.strictSame([first.status, first.headers.get('retry-after')], [429, '7'])
  t.equal((await ask('GET', '/users')).status, 503)
})

t.test('latency goes on to the request itself', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'latency', latencyMs: 1 }, { kind: 'html', times: 1 })
  t.match((await ask('GET', '/users')).headers.get('content-type'), /^text\/html/)
  t.strictSame((await ask('GET', '/users')).body, { users: [] })
  t.match(state.requests, [{ faulted: 'html' }, { faulted: 'latency', status: 200 }])
})

t.test('the same seed gives the same faults', async (t) => {
  const { ask, state } = await setup(t)
  const run = async (seed: number) => {
    state.faults.set({ kind: 'error', probability: 0.5, seed })
    const statuses: number[] = []
    for (let n = 0; n < 20; n++) statuses.push((await ask('GET', '/roles')).status)
    return statuses
  }
  const first = await run(4)
  t.strictSame(await run(4), first)
  t.strictSame([...new Set(first)].sort(), [200, 500])
  t.notSame(await run(5), first)
})

t.test('what a fault leaves applied', async (t) => {
  const { ask, state } = await setup(t)
  for (const kind of ['error', 'rate_limited', 'unauthorized', 'html', 'reset'] as const) {
    state.faults.set({ kind })
    await ask('POST', '/users', user).catch(() => undefined)
    t.strictSame(state.users(), [], `${kind} leaves nothing`)
    t.match(state.requests.at(-1), { faulted: kind, ended: Number })
  }
  for (const kind of ['truncated', 'cut_off'] as const) {
    state.faults.set({ kind })
    await t.rejects(ask('POST', '/users', user), `${kind} gives no usable answer`)
    t.match(state.users(), [user], `${kind} leaves the account`)
    state.removeUser(state.userByEmail(user.email)?.id ?? '')
  }
})

t.test('close lets go of connections that are kept alive, held or delayed', async (t) => {
  const { ask, state, sandbox } = await setup(t)
  await ask('GET', '/users')
  state.faults.set(
    { kind: 'timeout', method: 'GET' },
    { kind: 'applied_then_timeout', method: 'POST' },
    { kind: 'latency', latencyMs: 3_600_000 },
  )
  const { promise: threeArrived, resolve } = Promise.withResolvers<void>()
  let arrived = 0
  state.onRequest = async () => {
    arrived += 1
    if (arrived === 3) resolve()
  }
  const { promise: applied, resolve: seen } = Promise.withResolvers<void>()
  state.onApplied = async () => seen()
  const held = [ask('GET', '/users'), ask('POST', '/users', user), ask('DELETE', '/users/1')]
  const outcomes = Promise.allSettled(held)
  await threeArrived
  await applied
  await sandbox.close()
  t.match(
    (await outcomes).map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  )
  t.match(state.users(), [user])
  t.notOk(
    state.requests.slice(1).some(({ status }) => status !== undefined),
    'none was answered',
  )
})
