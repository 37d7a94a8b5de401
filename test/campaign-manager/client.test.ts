import t from 'tap'
import { clientOf, input, json, user, withSandbox, withServer } from './setup.ts'

t.test('an account is created, found, read, replaced and deleted', async (t) => {
  const { client, state, observed } = await withSandbox(t)
  t.equal(await client.findAccountByEmail(input.email), undefined)
  const created = await client.createAccount(input, 'key-1')
  const { id } = created.account
  t.strictSame(created.account, { id, ...input })
  t.match(created.etag, /^".+"$/)
  t.strictSame(await client.findAccountByEmail('IDA+X@contoso.example'), created.account)
  t.strictSame(await client.getAccount(id), created)

  const next = { email: input.email, enabled: false, roles: ['Analyst', 'Agents'] }
  const replaced = await client.replaceAccount(id, next, created.etag)
  t.strictSame(replaced.account, { id, ...next }, 'what is left out is emptied')
  t.strictSame(await client.getAccount(id), replaced)

  t.equal(await client.deleteAccount(id, replaced.etag), 'deleted')
  t.equal(await client.deleteAccount(id, undefined), 'absent')
  t.equal(await client.getAccount(id), undefined)
  t.strictSame(state.users(), [])
  t.strictSame(observed, [
    ['find_account', 'ok'],
    ['create_account', 'ok'],
    ['find_account', 'ok'],
    ['get_account', 'ok'],
    ['replace_account', 'ok'],
    ['get_account', 'ok'],
    ['delete_account', 'ok'],
    ['delete_account', 'not_found'],
    ['get_account', 'not_found'],
  ])
})

t.test('a write sends the contract’s fields only', async (t) => {
  const { client } = await withSandbox(t)
  const { account, etag } = await client.createAccount(input, 'key-1')
  const whole = { ...account, createdAt: 'x', note: 'y' }
  t.strictSame((await client.replaceAccount(account.id, whole, etag)).account, account)
})

t.test('the contract’s refusals keep their code, and whether the write may have applied', async (t) => {
  const { client, state } = await withSandbox(t)
  const { account, etag } = await client.createAccount(input, 'key-1')
  const other = state.putUser({ email: 'other@contoso.example' })
  state.editUser(account.id, { displayName: 'by hand' })
  const refusals: [string, () => Promise<unknown>, object][] = [
    ['taken on POST', () => client.createAccount(input, 'key-2'), { code: 'user_exists', status: 409 }],
    [
      'taken on PUT',
      () => client.replaceAccount(other.id, input, undefined),
      {
        code: 'user_exists',
        status: 409,
        message: /409 user_exists to replace_account: the e-mail address \[e-mail\]/,
      },
    ],
    [
      'changed since, PUT',
      () => client.replaceAccount(account.id, input, etag),
      { code: 'precondition_failed', status: 412, mayHaveApplied: true },
    ],
    [
      'changed since, DELETE',
      () => client.deleteAccount(account.id, etag),
      { code: 'precondition_failed', status: 412, mayHaveApplied: true },
    ],
    [
      'unknown role',
      () => client.createAccount({ ...input, email: 'new@contoso.example', roles: ['Nope'] }, 'key-3'),
      { code: 'role_unknown', status: 422, message: /no role is named 'Nope'/ },
    ],
    [
      'no role',
      () => client.replaceAccount(account.id, { ...input, roles: [] }, undefined),
      { code: 'invalid', status: 422 },
    ],
    [
      'nobody to replace',
      () => client.replaceAccount('none', input, undefined),
      { code: 'not_found', status: 404, requestId: /^req-/ },
    ],
  ]
  for (const [what, call, expected] of refusals) {
    await t.rejects(
      call(),
      { name: 'CampaignManagerError', mayHaveApplied: false, message: /answered/, ...expected },
      what,
    )
  }
})

t.test('a key used before gets the first account again', async (t) => {
  const { client, state } = await withSandbox(t)
  const first = await client.createAccount(input, 'key-1')
  t.strictSame(await client.createAccount(input, 'key-1'), first)
  t.equal(state.users().length, 1)
  await t.rejects(client.createAccount({ ...input, email: 'jo@contoso.example' }, 'key-1'), {
    code: 'malformed',
    message: /another address/,
    mayHaveApplied: true,
  })
})

t.test('the wrong token is unauthorized', async (t) => {
  const { baseUrl } = await withSandbox(t)
  const { client } = clientOf(t, baseUrl, { token: undefined })
  await t.rejects(client.listRoles(), {
    code: 'unauthorized',
    status: 401,
    message: /401 unauthorized to list_roles/,
  })
})

t.test('lists cover every page', async (t) => {
  const names = Array.from({ length: 230 }, (_, n) => `Role ${n}`)
  const { client, state, observed, baseUrl } = await withSandbox(t, {}, names)
  for (let n = 0; n < 1100; n++) state.putUser({ email: `u${n}@contoso.example` })
  t.strictSame(
    (await client.listRoles()).map(({ name }) => name),
    names,
  )
  const sizes: number[] = []
  const tokens: (string | undefined)[] = [undefined]
  const emails = new Set<string>()
  do {
    const page = await client.listAccounts(tokens.at(-1))
    sizes.push(page.accounts.length)
    for (const account of page.accounts) emails.add(account.email)
    tokens.push(page.nextPageToken)
  } while (tokens.at(-1) !== undefined)
  t.strictSame(sizes, [500, 500, 100])
  t.equal(emails.size, 1100)
  t.equal(observed.filter(([operation]) => operation === 'list_roles').length, 3)

  const { client: another } = clientOf(t, baseUrl, { accountPageSize: 2 })
  const { accounts } = await another.listAccounts(tokens[2])
  t.strictSame(
    accounts.map(({ email }) => email),
    ['u1000@contoso.example', 'u1001@contoso.example'],
    'a page is found again by its token alone',
  )
  await t.rejects(client.listAccounts('gibberish'), { code: 'invalid', message: /pageToken/ })
})

t.test('every call passes the gate, whose wait is neither timed out nor measured', async (t) => {
  let waiting: (() => void)[] = []
  let clock = 0
  const seconds: number[] = []
  const { client, state } = await withSandbox(t, {
    monotonic: () => clock,
    observe: (_operation, _outcome, took) => seconds.push(took),
    gate: async (run) => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return run()
    },
  })
  const listing = client.listRoles()
  t.equal(waiting.length, 1)
  t.equal(state.requests.length, 0, 'nothing is sent before the gate opens')
  clock = 5_000
  for (const open of waiting) open()
  t.equal((await listing).length, 8)
  t.strictSame(seconds, [0])

  waiting = []
  const { client: refused } = clientOf(t, 'http://127.0.0.1:9/', {
    gate: async () => {
      throw new Error('the circuit is open')
    },
  })
  await t.rejects(refused.listRoles(), { name: 'Error', message: 'the circuit is open' })
})

t.test('a base URL may have a prefix and a trailing slash; ids stay one segment', async (t) => {
  const { baseUrl, requests, client } = await withServer(t, (request, response) =>
    json(response, 200, user(decodeURIComponent(request.url?.split('/').at(-1) ?? ''), 'a@contoso.example')),
  )
  await client.getAccount('a/../b?c#d%')
  await clientOf(t, `${baseUrl}//`).client.getAccount('é 1')
  await clientOf(t, new URL(baseUrl).origin).client.getAccount('1')
  t.strictSame(
    requests.map(({ url }) => url),
    ['/cm/api/v1/users/a%2F..%2Fb%3Fc%23d%25', '/cm/api/v1/users/%C3%A9%201', '/users/1'],
  )
  for (const id of ['', '.', '..', '\ud800']) {
    await t.rejects(client.getAccount(id), { code: 'invalid', message: /account id/ })
    await t.rejects(client.deleteAccount(id, undefined), { code: 'invalid', mayHaveApplied: false })
  }
  for (const key of ['', 'k'.repeat(129), 'line\nbreak']) {
    await t.rejects(client.createAccount(input, key), { code: 'invalid', message: /idempotency key/ })
  }
  t.equal(requests.length, 3, 'what cannot be right is not sent')
})

t.test('a closed client says so', async (t) => {
  const { client } = await withSandbox(t)
  await client.close()
  await t.rejects(client.deleteAccount('1', undefined), {
    code: 'network',
    message: /the client is closed/,
    mayHaveApplied: false,
  })
})
