import t from 'tap'
import { refused, setup } from './setup.ts'

const user = { email: 'gil@contoso.example', displayName: 'Gil\u001b[2J Roy', roles: ['Analyst', 'Agents'] }

t.test('a person reads accounts and roles as a table', async (t) => {
  const { ask, state } = await setup(t, { token: 'people-on-this-machine-need-none' })
  state.putUser({ email: 'hal@contoso.example', firstName: 'Hal', lastName: 'Orr', enabled: false })
  const { id } = state.putUser(user)
  const { status, headers, body } = await ask('GET', '/')
  t.equal(status, 200)
  t.match(headers.get('content-type'), /^text\/plain/)
  const lines = body.split('\n')
  t.match(lines[0], /^E-MAIL +NAME +ENABLED +ROLES +ID$/)
  t.match(lines[1], new RegExp(`^gil@contoso.example +Gil \\[2J Roy +yes +Analyst, Agents +${id}$`))
  t.match(lines[2], /^hal@contoso.example +Hal Orr +no +Placeholder +/)
  t.match(body, /2 accounts\nRoles: Placeholder, Campaign Editor, /)
})

t.test('a person edits accounts and roles', async (t) => {
  const { ask, state } = await setup(t)
  const { id } = state.putUser(user)
  const before = (await ask('GET', `/users/${id}`)).etag
  const edited = await ask('PATCH', `/_sandbox/users/${id}`, { roles: ['Supervisors'], enabled: false })
  t.match(edited, { status: 200, body: { email: user.email, roles: ['Supervisors'], enabled: false } })
  t.not((await ask('GET', `/users/${id}`)).etag, before)
  refused(t, await ask('PATCH', `/_sandbox/users/${id}`, { role: 'x' }), 422, 'invalid', /additional/)
  refused(t, await ask('PATCH', `/_sandbox/users/${id}`, { roles: [] }), 422, 'invalid', /roles/)
  refused(t, await ask('PATCH', `/_sandbox/users/${id}`, { roles: ['No'] }), 422, 'role_unknown', /'No'/)
  t.match((await ask('GET', '/_sandbox/users')).body, { users: [{ id }] })

  t.equal((await ask('POST', '/_sandbox/roles', { name: 'Media / Buying' })).status, 201)
  refused(t, await ask('POST', '/_sandbox/roles', { name: 'Agents' }), 422, 'invalid', /exists already/)
  t.ok((await ask('GET', '/_sandbox/roles')).body.roles.includes('Media / Buying'))
  t.equal((await ask('DELETE', `/_sandbox/roles/${encodeURIComponent('Media / Buying')}`)).status, 204)
  refused(t, await ask('DELETE', '/_sandbox/roles/Nope'), 404, 'not_found', /'Nope'/)
  t.notOk(state.roles().includes('Media / Buying'))

  t.equal((await ask('DELETE', `/_sandbox/users/${id}`)).status, 204)
  refused(t, await ask('DELETE', `/_sandbox/users/${id}`), 404, 'not_found', /no user/)
})

t.test('a person sets faults, which never touch the person', async (t) => {
  const { ask } = await setup(t)
  const rule = { kind: 'rate_limited', retryAfter: 'Sun, 01 Nov 2026 08:00:30 GMT', times: 5 }
  t.strictSame((await ask('PUT', '/_sandbox/faults', rule)).body, { faults: [rule] })
  const limited = await ask('GET', '/users')
  t.strictSame([limited.status, limited.headers.get('retry-after')], [429, rule.retryAfter])
  t.strictSame((await ask('GET', '/_sandbox/faults')).body, { faults: [{ ...rule, times: 4 }] })
  t.match((await ask('GET', '/_sandbox/requests')).body, {
    requests: [{ status: 429, faulted: 'rate_limited' }],
  })
  await ask('PUT', '/_sandbox/faults', [{ kind: 'reset' }, { kind: 'html' }])
  t.strictSame((await ask('GET', '/_sandbox/faults')).body, { faults: [{ kind: 'reset' }, { kind: 'html' }] })
  refused(
    t,
    await ask('PUT', '/_sandbox/faults', { kind: 'earthquake' }),
    422,
    'invalid',
    /body.*kind.*: latency, /,
  )
  t.equal((await ask('DELETE', '/_sandbox/faults')).status, 204)
  t.equal((await ask('GET', '/users')).status, 200)
})

t.test('manual edits in the process keep the contract’s rules', async (t) => {
  const { state } = await setup(t)
  const { id } = state.putUser(user)
  t.equal(state.putUser({ email: 'GIL@contoso.example', displayName: 'Gil' }).id, id)
  t.match(state.users(), [{ id, email: 'GIL@contoso.example', displayName: 'Gil', roles: user.roles }])
  t.throws(() => state.editUser(id, { roles: [] }), { code: 'invalid', message: /without a role/ })
  t.throws(() => state.editUser(id, { roles: ['x'] }), { code: 'role_unknown', message: /'x'/ })
  t.throws(() => state.editUser('none', {}), { code: 'not_found', message: /no user/ })
  t.throws(() => state.addRole('Agents'), { code: 'invalid', message: /exists already/ })
  state.removeRole('Agents')
  t.match(state.editUser(id, { enabled: false }), { roles: user.roles, enabled: false })
})
