import t from 'tap'
import { refused, setup } from './setup.ts'

const email = 'cy@contoso.example'
const user = { email, roles: ['Analyst'] }

t.test('a replica lacks the last change, as long as that is recent', async (t) => {
  const { ask, state } = await setup(t)
  const stale = (durationMs: number) => state.faults.set({ kind: 'stale', durationMs })
  const { id } = (await ask('POST', '/users', user)).body

  stale(60_000)
  refused(t, await ask('GET', `/users/${id}`), 404, 'not_found', /no user/)
  t.strictSame((await ask('GET', `/users?email=${email}`)).body, { users: [] })
  t.match((await ask('GET', '/users')).body, { users: [user] }, 'pages are of the present')

  state.faults.clear()
  const fresh = await ask('GET', `/users/${id}`)
  await ask('PUT', `/users/${id}`, { ...user, roles: ['Analyst', 'Agents'] })
  stale(60_000)
  const old = await ask('GET', `/users/${id}`)
  t.strictSame([old.body.roles, old.etag], [['Analyst'], fresh.etag])
  refused(
    t,
    await ask('PUT', `/users/${id}`, user, { 'if-match': old.etag ?? '' }),
    412,
    'precondition_failed',
    /has changed/,
  )

  stale(0)
  t.strictSame((await ask('GET', `/users/${id}`)).body.roles, ['Analyst', 'Agents'])
  await ask('DELETE', `/users/${id}`)
  stale(60_000)
  t.equal((await ask('GET', `/users/${id}`)).status, 200, 'it knows of no deletion yet')
  t.match((await ask('GET', `/users?email=${email}`)).body, { users: [{ id }] })
})

t.test('an account that changes its address is found by the old one in a replica', async (t) => {
  const { ask, state } = await setup(t)
  const { id } = state.putUser(user)
  await ask('PUT', `/users/${id}`, { ...user, email: 'new@contoso.example' })
  state.faults.set({ kind: 'stale', durationMs: 60_000 })
  t.match((await ask('GET', `/users?email=${email}`)).body, { users: [{ id, email }] })
  t.strictSame((await ask('GET', '/users?email=new@contoso.example')).body, { users: [] })
})

t.test('half of the changes of roles are made', async (t) => {
  const { ask, state } = await setup(t)
  const { id } = state.putUser({ ...user, roles: ['Analyst', 'Agents'] })
  const path = `/users/${id}`
  const { etag } = await ask('GET', path)
  const asked = { ...user, roles: ['Agents', 'Supervisors'] }

  state.faults.set({ kind: 'partial' })
  refused(t, await ask('PUT', path, asked), 500, 'internal', /only a part/)
  t.strictSame(state.userByEmail(email)?.roles, ['Analyst', 'Agents', 'Supervisors'])
  refused(t, await ask('PUT', path, asked, { 'if-match': etag ?? '' }), 412, 'precondition_failed', /changed/)

  state.faults.set({ kind: 'partial', status: 200 })
  t.match(await ask('PUT', path, user), { status: 200, body: { roles: ['Analyst', 'Supervisors'] } })
  state.faults.clear()
  t.match(await ask('PUT', path, user), { status: 200, body: user })
})

t.test('an account is made with half of its roles', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'partial', times: 1 })
  const asked = { ...user, roles: ['Analyst', 'Agents', 'Supervisors'] }
  const key = { 'idempotency-key': 'k' }
  refused(t, await ask('POST', '/users', asked, key), 500, 'internal', /only a part/)
  const made = { email, roles: ['Analyst', 'Agents'] }
  t.match(state.users(), [made])
  t.match(await ask('POST', '/users', asked, key), { status: 201, body: made }, 'the key leads to it')
})

t.test('a gateway sends a write twice', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'repeated' })
  const key = { 'idempotency-key': 'k' }
  t.equal((await ask('POST', '/users', { ...user, email: 'di@contoso.example' }, key)).status, 201)
  refused(t, await ask('POST', '/users', user), 409, 'user_exists', /taken/)
  const id = state.userByEmail(email)?.id
  t.match(state.requests.at(-1), { userId: id, status: 409 }, 'the log names the account that was made')

  const { etag } = await ask('GET', `/users/${id}`)
  const changed = { ...user, roles: ['Agents'] }
  const headers = { 'if-match': etag ?? '' }
  refused(t, await ask('PUT', `/users/${id}`, changed, headers), 412, 'precondition_failed', /changed/)
  t.strictSame(state.userByEmail(email)?.roles, ['Agents'])
  refused(t, await ask('DELETE', `/users/${id}`), 404, 'not_found', /no user/)
  t.equal(state.userByEmail(email), undefined)
})

t.test('answers that break off or crawl are those of requests that were carried out', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'reset_after_headers' })
  await t.rejects(ask('POST', '/users', user))
  t.match(state.users(), [user])

  state.faults.set({ kind: 'slow_drip', durationMs: 20 })
  t.match(await ask('GET', `/users?email=${email}`), { status: 200, body: { users: [user] } })
  t.match(state.requests.at(-1), { faulted: 'slow_drip', ended: Number })
})

t.test('a closed port refuses connections and opens again', async (t) => {
  const { ask, state } = await setup(t)
  await ask('GET', '/users')
  state.faults.set({ kind: 'refused', durationMs: 200, times: 1 })
  await t.rejects(ask('GET', '/users'))
  let refusals = 0
  const answer = async (): Promise<number> =>
    ask('GET', '/users').then(
      ({ status }) => status,
      () => {
        refusals += 1
        return answer()
      },
    )
  t.equal(await answer(), 200)
  t.ok(refusals > 0)
})

t.test('a sandbox whose port is closed can be closed', async (t) => {
  const { ask, state, sandbox } = await setup(t)
  state.faults.set({ kind: 'refused', durationMs: 3_600_000 })
  await t.rejects(ask('GET', '/users'))
  await sandbox.close()
})

t.test('when to come back is told as seconds or as a date', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'rate_limited', retryAfter: 90, retryAfterAs: 'date' })
  t.equal((await ask('GET', '/users')).headers.get('retry-after'), 'Sun, 01 Nov 2026 08:01:30 GMT')
  state.faults.set({ kind: 'not_found' })
  refused(t, await ask('GET', '/users'), 404, 'not_found', /a fault/)
})

t.test('a fault befalls only requests that it can', async (t) => {
  const { ask, state } = await setup(t)
  state.faults.set({ kind: 'stale' }, { kind: 'repeated', times: 1 }, { kind: 'partial' })
  await ask('POST', '/users', user)
  await ask('GET', '/users')
  const { id = '' } = state.userByEmail(email) ?? {}
  await ask('PUT', `/users/${id}`, user)
  t.strictSame(
    state.requests.map(({ method, faulted }) => [method, faulted]),
    [
      ['POST', 'repeated'],
      ['GET', 'stale'],
      ['PUT', 'partial'],
    ],
  )
})
