import t from 'tap'
import { setup } from './setup.ts'

const user = { email: 'eve@contoso.example', roles: ['Analyst'] }

/** Two requests whose handling overlaps: both have arrived before either goes on. */
async function together(state: Awaited<ReturnType<typeof setup>>['state'], ask: () => Promise<unknown>[]) {
  const { promise: bothArrived, resolve } = Promise.withResolvers<void>()
  let arrived = 0
  state.onRequest = async () => {
    arrived += 1
    if (arrived === 2) resolve()
    await bothArrived
  }
  await Promise.all(ask())
  state.onRequest = undefined
}

t.test('every API request is logged in order, with whom it was about', async (t) => {
  const { ask, state } = await setup(t)
  const created = await ask('POST', '/users', user, { 'idempotency-key': 'k' })
  const { id } = created.body
  await ask('GET', '/users?email=eve@contoso.example')
  await ask('PUT', `/users/${id}`, { ...user, roles: [] })
  await ask('DELETE', `/users/${id}`)
  await ask('GET', '/nothing')
  await ask('GET', '/_sandbox/users')
  t.match(state.requests, [
    {
      sequence: 1,
      method: 'POST',
      route: 'users',
      email: user.email,
      userId: id,
      idempotencyKey: 'k',
      status: 201,
    },
    {
      sequence: 2,
      method: 'GET',
      path: '/api/v1/users?email=eve@contoso.example',
      email: user.email,
      status: 200,
    },
    { sequence: 3, method: 'PUT', route: 'user', email: user.email, userId: id, status: 422 },
    { sequence: 4, method: 'DELETE', route: 'user', email: user.email, userId: id, status: 204 },
    { sequence: 5, route: 'unknown', status: 404 },
  ])
  t.equal(state.requests.length, 5, 'people’s requests are not logged')
  state.resetRequests()
  t.strictSame(state.requests, [])
})

t.test('overlapping writes to one account are found', async (t) => {
  const { ask, state } = await setup(t)
  const { id } = state.putUser(user)
  await together(state, () => [ask('PUT', `/users/${id}`, user), ask('DELETE', `/users/${id}`)])
  t.match(state.overlappingWrites(), [[{ userId: id }, { userId: id }]])
  t.equal(state.overlappingWrites().length, 1)

  state.resetRequests()
  await together(state, () => [
    ask('POST', '/users', user),
    ask('POST', '/users', { ...user, email: 'EVE@contoso.example' }),
  ])
  t.match(
    state.overlappingWrites().map(([a, b]) => [a.method, b.method]),
    [['POST', 'POST']],
  )

  state.resetRequests()
  const existing = state.userByEmail(user.email)?.id
  await together(state, () => [ask('POST', '/users', user), ask('PUT', `/users/${existing}`, user)])
  t.equal(state.overlappingWrites().length, 1, 'a creation and a replacement of one address')
})

t.test('writes one after the other, reads, and writes to two accounts do not overlap', async (t) => {
  const { ask, state } = await setup(t)
  const { id } = state.putUser(user)
  const other = state.putUser({ ...user, email: 'flo@contoso.example' })
  for (let n = 0; n < 5; n++) await ask('PUT', `/users/${id}`, user)
  await together(state, () => [ask('PUT', `/users/${id}`, user), ask('GET', `/users/${id}`)])
  await together(state, () => [
    ask('PUT', `/users/${id}`, user),
    ask('PUT', `/users/${other.id}`, { ...user, email: 'flo@contoso.example' }),
  ])
  t.strictSame(state.overlappingWrites(), [])
})

t.test('a write that is never answered ends with that decision', async (t) => {
  const { ask, state, sandbox } = await setup(t)
  const { id } = state.putUser(user)
  state.faults.set({ kind: 'applied_then_timeout', times: 1 })
  const { promise: applied, resolve } = Promise.withResolvers<void>()
  state.onApplied = async () => resolve()
  const held = ask('PUT', `/users/${id}`, { ...user, roles: ['Agents'] }).catch(() => 'never answered')
  await applied
  t.equal((await ask('PUT', `/users/${id}`, user)).status, 200)
  t.strictSame(state.overlappingWrites(), [])
  await sandbox.close()
  t.equal(await held, 'never answered')
})

t.test('the hooks stand before the handling and between applying and answering', async (t) => {
  const { ask, state } = await setup(t)
  const seen: unknown[] = []
  state.onRequest = async ({ method, email }) => {
    seen.push(['request', method, email, state.users().length])
  }
  state.onApplied = async ({ method, userId, status, ended }) => {
    seen.push(['applied', method, userId === state.userByEmail(user.email)?.id, status, ended])
  }
  await ask('POST', '/users', user, { 'idempotency-key': 'k' })
  await ask('POST', '/users', user, { 'idempotency-key': 'k' })
  await ask('POST', '/users', user)
  t.strictSame(seen, [
    ['request', 'POST', user.email, 0],
    ['applied', 'POST', true, 201, undefined],
    ['request', 'POST', user.email, 1],
    ['request', 'POST', user.email, 1],
  ])
})

t.test('the log forgets the oldest requests beyond what it is told to keep', async (t) => {
  const { ask, state } = await setup(t, { keepRequests: 10 })
  for (let n = 0; n < 12; n++) await ask('GET', '/roles')
  t.equal(state.requests.length, 10)
  t.match(state.requests.at(-1), { sequence: 12 })
})
