import t from 'tap'
import { refused, setup } from './setup.ts'

const anna = {
  email: 'Anna.Berg@contoso.example',
  firstName: 'Anna',
  lastName: 'Berg',
  displayName: 'Anna Berg',
  externalId: '7f0c2a5e-0000-4000-8000-000000000001',
  enabled: true,
  roles: ['Placeholder'],
}

t.test('an account is created, read, replaced and deleted', async (t) => {
  const { ask } = await setup(t)
  const created = await ask('POST', '/users', anna)
  t.equal(created.status, 201)
  t.match(created.body, { ...anna, id: String, createdAt: /Z$/, updatedAt: /Z$/ })
  const path = `/users/${created.body.id}`

  const read = await ask('GET', path)
  t.equal(read.status, 200)
  t.strictSame(read.body, created.body)
  t.equal(read.etag, created.etag)

  const replaced = await ask('PUT', path, { email: anna.email, roles: ['Analyst', 'Agents'] })
  t.equal(replaced.status, 200)
  const { createdAt, updatedAt, ...rest } = replaced.body
  t.strictSame(rest, { id: created.body.id, email: anna.email, enabled: true, roles: ['Analyst', 'Agents'] })
  t.equal(createdAt, created.body.createdAt)
  t.not(updatedAt, created.body.updatedAt)

  const deleted = await ask('DELETE', path)
  t.equal(deleted.status, 204)
  t.equal(deleted.body, '')
  for (const method of ['GET', 'DELETE']) refused(t, await ask(method, path), 404, 'not_found', /no user/)
  refused(t, await ask('PUT', path, anna), 404, 'not_found', /no user/)
})

t.test('every change gives a new strong ETag, and If-Match holds a write to the version read', async (t) => {
  const { ask, state } = await setup(t)
  const created = await ask('POST', '/users', anna)
  const path = `/users/${created.body.id}`
  t.match(created.etag, /^"[^"]+"$/)

  const replaced = await ask('PUT', path, anna, { 'if-match': created.etag ?? '' })
  t.equal(replaced.status, 200)
  t.not(replaced.etag, created.etag)

  state.editUser(created.body.id, { displayName: 'By hand' })
  const edited = await ask('GET', path)
  t.not(edited.etag, replaced.etag)

  const stale = { 'if-match': replaced.etag ?? '' }
  refused(t, await ask('PUT', path, anna, stale), 412, 'precondition_failed', /changed/)
  refused(t, await ask('DELETE', path, undefined, stale), 412, 'precondition_failed', /changed/)
  refused(
    t,
    await ask('PUT', path, anna, { 'if-match': `W/${edited.etag}` }),
    412,
    'precondition_failed',
    /changed/,
  )
  t.equal(state.userByEmail(anna.email)?.displayName, 'By hand', 'a refused write changed nothing')
  t.equal((await ask('DELETE', path, undefined, { 'if-match': edited.etag ?? '' })).status, 204)
})

t.test('an e-mail address is compared without case and belongs to one account', async (t) => {
  const { ask } = await setup(t)
  const created = await ask('POST', '/users', anna)
  const other = await ask('POST', '/users', { email: 'bo+1@contoso.example', roles: ['Analyst'] })

  const found = await ask('GET', `/users?email=${encodeURIComponent('anna.BERG@Contoso.example')}`)
  t.strictSame(found.body, { users: [created.body] })
  const plus = await ask('GET', `/users?email=${encodeURIComponent('bo+1@contoso.example')}`)
  t.strictSame(plus.body, { users: [other.body] })
  t.strictSame((await ask('GET', '/users?email=nobody@contoso.example')).body, { users: [] })
  t.strictSame((await ask('GET', '/users?email=')).body, { users: [] })

  const taken = { email: 'ANNA.berg@contoso.example', roles: ['Analyst'] }
  refused(t, await ask('POST', '/users', taken), 409, 'user_exists', /taken/)
  refused(t, await ask('PUT', `/users/${other.body.id}`, taken), 409, 'user_exists', /taken/)
  t.equal(
    (await ask('PUT', `/users/${created.body.id}`, taken)).status,
    200,
    'its own address in another case',
  )

  await ask('PUT', `/users/${created.body.id}`, { ...anna, email: 'new@contoso.example' })
  t.equal((await ask('POST', '/users', taken)).status, 201, 'an address that was given up is free')
})

t.test('a body that breaks the contract is refused, never mended', async (t) => {
  const { ask, state } = await setup(t)
  const bodies: [string, unknown, RegExp][] = [
    ['an unknown member', { ...anna, nickname: 'A' }, /additional/],
    ['the id', { ...anna, id: '1' }, /additional/],
    ['no roles', { email: anna.email }, /roles/],
    ['empty roles', { ...anna, roles: [] }, /roles/],
    ['a role twice', { ...anna, roles: ['Analyst', 'Analyst'] }, /duplicate/],
    ['one role as text', { ...anna, roles: 'Analyst' }, /roles must be array/],
    ['a role that is a number', { ...anna, roles: [7] }, /must be string/],
    ['no e-mail', { roles: ['Analyst'] }, /email/],
    ['no address', { ...anna, email: 'anna' }, /email/],
    ['enabled as text', { ...anna, enabled: 'true' }, /must be boolean/],
    ['null for a name', { ...anna, firstName: null }, /must be string/],
    ['a name too long', { ...anna, lastName: 'x'.repeat(257) }, /256/],
    ['a list', [anna], /must be object/],
    ['cut JSON', '{"email": "an', /not valid JSON/],
    ['a poisoned prototype', '{"__proto__": {"a": 1}}', /not valid JSON|prototype/],
    ['nothing', '', /empty/],
    ['more than 1 MiB', { ...anna, lastName: 'x'.repeat(1_100_000) }, /too large/],
  ]
  for (const [what, body, message] of bodies) {
    await t.test(what, async (t) => refused(t, await ask('POST', '/users', body), 422, 'invalid', message))
  }
  t.strictSame(state.users(), [])
  state.putUser(anna)
  const path = `/users/${state.userByEmail(anna.email)?.id}`
  refused(t, await ask('PUT', path, { ...anna, nickname: 'A' }), 422, 'invalid', /additional/)
  refused(t, await ask('PUT', path, { ...anna, roles: [] }), 422, 'invalid', /roles/)
  const media = { 'content-type': 'application/xml' }
  refused(t, await ask('PUT', path, '<user/>', media), 422, 'invalid', /Media Type/i)
})

t.test('roles are known by their exact names', async (t) => {
  const { ask, state } = await setup(t)
  refused(t, await ask('POST', '/users', { ...anna, roles: ['analyst'] }), 422, 'role_unknown', /'analyst'/)
  const created = await ask('POST', '/users', anna)
  const path = `/users/${created.body.id}`
  refused(t, await ask('PUT', path, { ...anna, roles: ['Analyst', 'Nope'] }), 422, 'role_unknown', /'Nope'/)

  state.addRole('Nope')
  t.equal((await ask('PUT', path, { ...anna, roles: ['Analyst', 'Nope'] })).status, 200)
  state.renameRole('Nope', 'Yes')
  t.strictSame((await ask('GET', path)).body.roles, ['Analyst', 'Yes'])
  state.removeRole('Yes')
  t.strictSame(
    (await ask('GET', path)).body.roles,
    ['Analyst', 'Yes'],
    'an account keeps a role that is gone',
  )
  refused(t, await ask('PUT', path, { ...anna, roles: ['Analyst', 'Yes'] }), 422, 'role_unknown', /'Yes'/)
})

t.test('pages show every user and every role once', async (t) => {
  const { ask, state } = await setup(t, { roles: Array.from({ length: 230 }, (_, n) => `Role ${n}`) })
  for (let n = 0; n < 250; n++) state.putUser({ email: `u${n}@contoso.example` })

  const walk = async (path: string, list: 'users' | 'roles') => {
    const sizes: number[] = []
    const names: string[] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const { body } = await ask(
        'GET',
        `${path}${next === '' ? '' : `pageToken=${encodeURIComponent(next)}`}`,
      )
      sizes.push(body[list].length)
      names.push(...body[list].map((item: { email?: string; name?: string }) => item.email ?? item.name))
      next = body.nextPageToken
    }
    t.equal(new Set(names).size, names.length, 'none twice')
    return sizes
  }
  t.strictSame(await walk('/users?', 'users'), [100, 100, 50])
  t.strictSame(await walk('/users?pageSize=125&', 'users'), [125, 125])
  t.strictSame(await walk('/users?pageSize=500&', 'users'), [250])
  t.strictSame(await walk('/roles?', 'roles'), [100, 100, 30])

  const first = await ask('GET', '/users?pageSize=2')
  for (const user of first.body.users) state.removeUser(user.id)
  const second = await ask('GET', `/users?pageSize=2&pageToken=${first.body.nextPageToken}`)
  t.match(second.body.users, [{ email: 'u2@contoso.example' }, { email: 'u3@contoso.example' }])
})

t.test('a query that breaks the contract is refused', async (t) => {
  const { ask } = await setup(t)
  for (const size of ['0', '501', '-1', '1.5', 'ten', '', '1e2']) {
    refused(t, await ask('GET', `/users?pageSize=${size}`), 422, 'invalid', /pageSize/)
  }
  refused(t, await ask('GET', '/users?pageToken=nonsense'), 422, 'invalid', /pageToken/)
  refused(t, await ask('GET', '/roles?pageToken=nonsense'), 422, 'invalid', /pageToken/)
  refused(t, await ask('GET', '/users?email=a@b&email=c@d'), 422, 'invalid', /email/)
})

t.test('an Idempotency-Key seen before gets the first answer again', async (t) => {
  const { ask, state } = await setup(t)
  const key = { 'idempotency-key': 'k-1' }
  const created = await ask('POST', '/users', anna, key)
  const again = await ask('POST', '/users', anna, key)
  t.equal(again.status, 201)
  t.strictSame(again.body, created.body)
  t.equal(again.etag, created.etag)
  t.equal(state.users().length, 1)

  state.removeUser(created.body.id)
  t.strictSame((await ask('POST', '/users', anna, key)).body, created.body, 'even when the account is gone')
  t.equal(state.users().length, 0)

  const other = { 'idempotency-key': 'k-2' }
  const refusal = await ask('POST', '/users', { ...anna, roles: ['Later'] }, other)
  refused(t, refusal, 422, 'role_unknown', /'Later'/)
  state.addRole('Later')
  const repeated = await ask('POST', '/users', { ...anna, roles: ['Later'] }, other)
  t.strictSame([repeated.status, repeated.body], [422, refusal.body], 'a refusal is repeated too')
  t.equal((await ask('POST', '/users', anna, { 'idempotency-key': 'k-3' })).status, 201)

  const long = { 'idempotency-key': 'k'.repeat(129) }
  refused(t, await ask('POST', '/users', anna, long), 422, 'invalid', /128/)
})

t.test('with a token every path of the API asks for it', async (t) => {
  const { ask } = await setup(t, { token: 'sandbox-token-of-thirty-two-chars' })
  for (const authorization of [
    undefined,
    'Bearer wrong',
    'Basic sandbox-token-of-thirty-two-chars',
    'Bearer ',
  ]) {
    const headers = authorization === undefined ? {} : { authorization }
    for (const path of ['/users', '/users/1', '/roles', '/nothing']) {
      refused(t, await ask('GET', path, undefined, headers), 401, 'unauthorized', /bearer token/)
    }
  }
  const headers = { authorization: 'bearer sandbox-token-of-thirty-two-chars' }
  t.equal((await ask('GET', '/users', undefined, headers)).status, 200)
})

t.test('what is not served is answered in the contract’s shape', async (t) => {
  const { ask } = await setup(t)
  refused(t, await ask('GET', '/nothing'), 404, 'not_found', /path/)
  refused(t, await ask('PATCH', '/users/1', {}), 404, 'not_found', /path/)
  refused(t, await ask('GET', '/users/%zz'), 422, 'invalid', /url/)
  refused(t, await ask('GET', '/_sandbox/nothing'), 404, 'not_found', /path/)
})
