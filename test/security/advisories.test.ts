import { randomUUID } from 'node:crypto'
import t from 'tap'
import { listTokens, revokeToken } from '../../src/access/tokens.ts'
import { isScimError } from '../e2e/setup.ts'
import { callCommand } from '../support/command.ts'
import {
  type Answer,
  addMembers,
  groupBody,
  patchBody,
  removeMembers,
  setActive,
  userBody,
} from '../support/scim-client.ts'
import { SCIM_TOKEN, startTestService } from '../support/service.ts'
import { head, sendRaw, tenantOf, tokenOf } from './setup.ts'

/** Published faults of other SCIM services, and of what this one is built on: none of them is here. */
t.test('of what is provisioned', async (t) => {
  const service = await startTestService(t, { roles: ['Placeholder', 'Agents', 'Analyst'] })
  const { scim, sandbox } = service
  const acme = await tenantOf(service, 'acme')
  const bodyOf = async (path: string) => (await scim('GET', path)).body
  const create = async (name: string, more: object = {}): Promise<string> =>
    (await scim('POST', '/Users', userBody(name, more))).body.id
  const replace = (path: string, value: unknown) => patchBody({ op: 'replace', path, value })

  t.test('CVE-2025-41115: an externalId is never taken for an id', async (t) => {
    const victim = await create('victim')
    const before = await bodyOf(`/Users/${victim}`)
    const [{ position }] = (
      await service.database.pool.query('select position from scim_user where id = $1', [victim])
    ).rows
    const tenantId = '1'
    for (const externalId of [
      '1',
      '0',
      '-1',
      '2147483648',
      String(position),
      tenantId,
      victim,
      victim.toUpperCase(),
    ]) {
      const { status, body } = await scim('POST', '/Users', userBody(`x-${externalId}`, { externalId }))
      t.equal(status, 201, externalId)
      t.match(body.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'ids are of the server’s own kind')
      t.not(body.id, externalId)
      if (externalId !== victim) t.equal((await scim('GET', `/Users/${externalId}`)).status, 404)
      t.equal((await scim('DELETE', `/Users/${body.id}`)).status, 204)
    }
    const numeric = await scim('POST', '/Users', userBody('numeric', { externalId: 1 }))
    t.match(numeric, { status: 400, body: { scimType: 'invalidValue' } }, 'a number is no externalId')
    t.strictSame(await bodyOf(`/Users/${victim}`), before)
  })

  t.test('CVE-2026-92539: no verb reaches a resource of another tenant', async (t) => {
    const user = await create('ours')
    const group = (await scim('POST', '/Groups', groupBody('Agents'))).body.id
    await scim('PATCH', `/Groups/${group}`, addMembers(user))
    const paths = [`/Users/${user}`, `/Groups/${group}`]
    const before = await Promise.all(paths.map(bodyOf))
    for (const [path, body, patch] of [
      [paths[0], userBody('ours', { displayName: 'theirs' }), setActive(false)],
      [paths[1], groupBody('Analyst'), removeMembers(user)],
    ] as const) {
      for (const [method, sent] of [['GET'], ['PUT', body], ['PATCH', patch], ['DELETE']] as const) {
        isScimError(t, await acme.scim(method, path ?? '', sent), { status: 404 }, `${method} ${path}`)
      }
      const operations = [
        { method: 'PUT', path, data: body },
        { method: 'PATCH', path, data: patch },
        { method: 'DELETE', path },
      ]
      const bulk = { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations: operations }
      const { body: answered } = await acme.scim('POST', '/Bulk', bulk)
      t.strictSame(
        answered.Operations.map(({ status }: { status: string }) => status),
        ['404', '404', '404'],
      )
    }
    for (const filter of [
      `id eq "${user}"`,
      'userName eq "ours@example.com"',
      'id pr',
      `groups.value eq "${group}"`,
    ]) {
      const { body } = await acme.scim('GET', `/Users?filter=${encodeURIComponent(filter)}`)
      t.strictSame([body.totalResults, body.Resources], [0, []], filter)
    }
    t.equal((await acme.scim('GET', `/Groups?filter=members.value eq "${user}"`)).body.totalResults, 0)
    const first = await scim('GET', '/Users?count=1&cursor')
    const stolen = await acme.scim('GET', `/Users?count=1&cursor=${first.body.nextCursor}`)
    isScimError(t, stolen, { status: 400, scimType: 'invalidCursor' }, 'RFC 9865 §5.2: another’s cursor')
    t.strictSame(await Promise.all(paths.map(bodyOf)), before)
  })

  t.test('CVE-2026-67330: a new userName passes uniqueness, and who is removed loses access', async (t) => {
    const ann = await create('taken-ann')
    const bob = await create('taken-bob')
    for (const change of [{ userName: 'taken-ann@example.com' }, { userName: 'TAKEN-ann@EXAMPLE.com' }]) {
      const put = userBody('taken-bob', change)
      isScimError(t, await scim('PUT', `/Users/${bob}`, put), { status: 409, scimType: 'uniqueness' })
      const patch = replace('userName', change.userName)
      isScimError(t, await scim('PATCH', `/Users/${bob}`, patch), { status: 409, scimType: 'uniqueness' })
    }
    await service.settle()
    await scim('PATCH', `/Users/${bob}`, replace('emails[type eq "work"].value', 'taken-ann@example.com'))
    await service.settle()
    const accounts = sandbox.state.users().filter(({ email }) => email === 'taken-ann@example.com')
    t.match(accounts, [{ externalId: 'entra-taken-ann' }], 'an address that is taken moves no account')
    await scim('DELETE', `/Users/${ann}`)
    await scim('DELETE', `/Users/${bob}`)
    await service.settle()
    t.strictSame(
      sandbox.state.users().filter(({ email }) => email.startsWith('taken-')),
      [],
    )
    // A tenant's name and a credential's id are in nobody's hands who sends SCIM requests.
    for (const tenant of ['default', 'acme', '1']) {
      const answer = await acme.scim(
        'POST',
        '/Users',
        userBody(`t-${tenant}`, { tenant_id: 1, tenant, tenantId: 1 }),
      )
      t.equal(answer.status, 201)
      t.equal((await scim('GET', `/Users/${answer.body.id}`)).status, 404, 'it stays with its own tenant')
    }
  })

  t.test('GHSA-j8v8-g9cx-5qf4: nothing is without a tenant', async (t) => {
    const { pool } = service.database
    const { rows } = await pool.query(`
      select table_name, is_nullable from information_schema.columns
      where table_schema = current_schema() and column_name = 'tenant_id'
        -- It also lists accounts that no tenant knows, and nobody reads it over HTTP.
        and table_name <> 'drift_finding'`)
    t.ok(rows.length > 5)
    t.strictSame(
      rows.filter(({ is_nullable: nullable }) => nullable !== 'NO'),
      [],
    )
    await t.rejects(
      pool.query(
        `insert into scim_token (tenant_id, token_id, name, secret_hash) values (null, 'x', 'x', '\\x00')`,
      ),
      { code: '23502' },
    )
  })

  t.test(
    'CVE-2022-1680, ciso-assistant PR 4658: an account is nobody’s because of its address',
    async (t) => {
      const { scim, sandbox, ...other } = await startTestService(t, {
        env: { EXISTING_ACCOUNTS: 'refuse' },
        roles: ['Placeholder', 'Admins'],
      })
      const admin = sandbox.state.putUser({ email: 'admin@example.com', roles: ['Admins'] })
      const before = sandbox.state.users().find(({ email }) => email === admin.email)
      const { body: made } = await scim('POST', '/Users', userBody('admin'))
      await other.settle()
      await scim('PATCH', `/Users/${made.id}`, replace('emails[type eq "work"].value', 'mallory@example.com'))
      await other.settle()
      // In one request, and by PATCH after it.
      const { body: both } = await scim(
        'POST',
        '/Users',
        userBody('x', { userName: 'x@example.com', emails: [{ value: admin.email, type: 'work' }] }),
      )
      await scim('PATCH', `/Users/${both.id}`, replace('userName', admin.email))
      await other.settle()
      t.strictSame(
        sandbox.state.users().find(({ email }) => email === admin.email),
        before,
      )
    },
  )

  t.test('CVE-2023-3128: who somebody is does not depend on the address', async (t) => {
    const first = await create('before')
    await service.settle()
    const account = sandbox.state.users().find(({ email }) => email === 'before@example.com')
    await scim('PATCH', `/Users/${first}`, replace('emails[type eq "work"].value', 'after@example.com'))
    await service.settle()
    const second = await create('later', {
      externalId: 'entra-somebody-else',
      emails: [{ type: 'work', value: 'before@example.com' }],
    })
    await service.settle()
    const now = sandbox.state.users()
    t.equal(
      now.find(({ email }) => email === 'after@example.com')?.id,
      account?.id,
      'the account went with the person',
    )
    t.not(
      now.find(({ email }) => email === 'before@example.com')?.id,
      account?.id,
      'and not with the address',
    )
    t.not(first, second)
  })

  t.test(
    'CVE-2026-78357, CVE-2024-46999: after the last group nothing is left in Campaign Manager',
    async (t) => {
      const user = await create('leaver')
      const group = (await scim('POST', '/Groups', groupBody('Analyst'))).body.id
      await scim('PATCH', `/Groups/${group}`, addMembers(user))
      await service.settle()
      t.match(
        sandbox.state.users().find(({ email }) => email === 'leaver@example.com'),
        { roles: ['Analyst'] },
      )
      await scim('PATCH', `/Groups/${group}`, removeMembers(user))
      await service.settle()
      t.equal(
        sandbox.state.users().find(({ email }) => email === 'leaver@example.com'),
        undefined,
      )
    },
  )

  t.test('CVE-2021-21479: what a client names is never evaluated', async (t) => {
    const names = [
      '\u0024{7*7}',
      '#{7*7}',
      '{{7*7}}',
      '<%= 7*7 %>',
      '\u0024{jndi:ldap://127.0.0.1/x}',
      '%{7*7}',
      '`7*7`',
      "';select 49;--",
    ]
    for (const name of names) {
      for (const path of ['/Schemas', '/ResourceTypes', '/Users', '/Groups', '']) {
        const answer = await scim('GET', `${path}/${encodeURIComponent(name)}`)
        isScimError(t, answer, { status: 404 }, `${path} ${name}`)
        t.notMatch(answer.body.detail.replaceAll(/\[request .*/g, ''), /\b49\b(?!;--)/, name)
      }
      for (const query of ['filter', 'sortBy']) {
        const answer = await scim('GET', `/Users?${query}=${encodeURIComponent(name)}`)
        t.equal(answer.status, 400, `${query} ${name}`)
      }
      const { body } = await scim(
        'POST',
        '/Users',
        userBody(`eval-${randomUUID()}`, { displayName: name, title: name }),
      )
      t.strictSame([body.displayName, body.title], [name, name], 'it comes back as it was sent')
    }
  })
})

t.test('of credentials', async (t) => {
  const service = await startTestService(t, { env: { OPERATOR_TOKEN: 'operator-token' } })
  const { scim, database, url } = service
  const status = async (authorization: string): Promise<Answer> =>
    scim('GET', '/Users', undefined, { authorization })

  t.test('CVE-2026-46425: a credential of another kind gets nobody in', async (t) => {
    const issued = await callCommand(['token', 'create', '--name', 'reads', '--access', 'read'], {
      DATABASE_URL: database.url,
    })
    const reader = /scim_\S+/.exec(issued.stdout)?.[0] ?? ''
    for (const [method, path, body] of [
      ['POST', '/Users', userBody('x')],
      ['POST', '/Bulk', {}],
      ['PATCH', `/Users/${randomUUID()}`, setActive(false)],
    ] as const) {
      const answer = await scim(method, path, body, { authorization: `Bearer ${reader}` })
      isScimError(t, answer, { status: 403 }, `a token that may read: ${method} ${path}`)
    }
    for (const token of ['operator-token', 'campaign-manager-key']) {
      isScimError(t, await status(`Bearer ${token}`), { status: 401 }, token)
    }
  })

  t.test('ToolJet #16217: an empty credential equals no setting that is empty', async (t) => {
    for (const value of [
      '',
      ' ',
      'Bearer',
      'Bearer ',
      'Bearer  \t',
      'Bearer undefined',
      'Bearer null',
      'Bearer 0',
      'Bearer ""',
      'undefined',
    ]) {
      isScimError(t, await status(value), { status: 401 }, JSON.stringify(value))
    }
    const [none] = await sendRaw(url, 'GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    t.equal(none?.status, 401)
    for (const SCIM_TOKEN of [' ', 'x', 'undefined']) {
      const ended = await callCommand(['serve'], { DATABASE_URL: database.url, SCIM_TOKEN })
      t.match(ended, { status: 2, stderr: /SCIM_TOKEN: must be at least 32/ }, JSON.stringify(SCIM_TOKEN))
    }
  })

  t.test('ToolJet #16217: production does not start without a usable credential', async (t) => {
    const { database } = await startTestService(t)
    const env = {
      DATABASE_URL: database.url,
      CAMPAIGN_MANAGER_URL: 'http://127.0.0.1:9',
      NODE_ENV: 'production',
      PORT: '0',
    }
    for (const SCIM_TOKEN of [undefined, '']) {
      const ended = await callCommand(['serve'], { ...env, ...(SCIM_TOKEN !== undefined && { SCIM_TOKEN }) })
      t.match(ended, { status: 2, stderr: /SCIM_TOKEN: must be set/ })
    }
  })

  t.test('CVE-2022-31142: a wrong credential of any length is refused alike', async (t) => {
    const { token } = await tokenOf(service, 'default')
    const wrong = [
      token.slice(0, -1),
      `${token}A`,
      token.slice(1),
      'x',
      'x'.repeat(5000),
      SCIM_TOKEN.slice(0, -1),
    ]
    const answers = await Promise.all(wrong.map((each) => status(`Bearer ${each}`)))
    const said = answers.map(({ body }) => body.detail.replace(/ \[request .*/, ''))
    t.strictSame(
      answers.map((answer) => answer.status),
      wrong.map(() => 401),
    )
    t.equal(new Set(said).size, 1, 'nothing says what is wrong with it')
  })

  t.test('GitLab #385050: every token can be found and revoked, and is refused at once', async (t) => {
    const { token, id } = await tokenOf(service, 'default')
    t.equal((await status(`Bearer ${token}`)).status, 200)
    t.ok((await listTokens(database.db, 'default')).some((each) => each.id === id))
    await revokeToken(database.db, 'default', id)
    t.equal((await status(`Bearer ${token}`)).status, 401)
    t.ok(
      (await listTokens(database.db, undefined)).some((each) => each.id === id),
      'and is still listed',
    )
  })

  t.test('GitLab #11640: a token is shown once', async (t) => {
    const { token } = await tokenOf(service, 'default')
    const secret = token.slice(-43)
    const { rows } = await database.pool.query('select scim_token::text as row from scim_token')
    t.notOk(JSON.stringify(rows).includes(secret), 'the database has its digest')
    for (const args of [
      ['token', 'list'],
      ['token', 'list', '--json'],
      ['tenant', 'list'],
    ]) {
      const { status, stdout, stderr } = await callCommand(args, { DATABASE_URL: database.url })
      t.equal(status, 0, args.join(' '))
      t.notOk(`${stdout}${stderr}`.includes(secret), args.join(' '))
    }
    const metrics = await (await fetch(`${url}/metrics`)).text()
    t.notOk(metrics.includes(secret))
  })

  t.test('CVE-2026-43640: no credential is made or changed over HTTP', async (t) => {
    // Making one takes the database, which a token gives nobody.
    const routes = service.running.service.http.printRoutes({ commonPrefix: false })
    t.notMatch(routes, /\/(tokens?|clients?|tenants?|rotate)\b(?<!oauth2\/token)/)
  })

  t.test('CVE-2025-32442, CVE-2026-25223, CVE-2026-33806, CVE-2026-3419: Content-Types', async (t) => {
    const refusedBody = JSON.stringify({ ...userBody('type'), userName: 7 })
    const rightBody = () => JSON.stringify(userBody(`type-${randomUUID()}`))
    const post = async (type: string, body: string) => {
      const lines = { 'Content-Type': type, 'Content-Length': String(Buffer.byteLength(body)) }
      return (await sendRaw(url, head('POST /scim/v2/Users HTTP/1.1', lines), body))[0]
    }
    const accepted = [
      'application/scim+json',
      ' application/scim+json',
      '\tapplication/scim+json',
      'application/scim+json\t',
      'application/scim+json ;charset=utf-8',
      'APPLICATION/SCIM+JSON',
      'application/scim+json; charset=utf-8',
      'application/scim+json;charset="UTF-8"',
      'application/scim+json;\tcharset=utf8',
      'application/json',
      'application/json; charset=utf-8; odata=none',
    ]
    const refused = [
      'application/scim+json; charset=iso-8859-1',
      'application/scim+json; charset=utf-7',
      'application/json; charset=utf-16',
      'application/json; charset=utf-8; charset=utf-16',
      'application/scim+json garbage',
      'application/scim+json, text/plain',
      'application/scim+jsonx',
      'application/scim+json\u00a0',
      'application /scim+json',
      'application/scim json',
      'application/xml',
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
      'application',
      '/',
      '*/*',
    ]
    for (const type of accepted) {
      t.equal((await post(type, rightBody()))?.status, 201, JSON.stringify(type))
      t.equal((await post(type, refusedBody))?.status, 400, `${JSON.stringify(type)}: checked all the same`)
    }
    for (const type of refused) {
      t.equal((await post(type, rightBody()))?.status, 415, JSON.stringify(type))
    }
    for (const type of ['application/scim+json\u0000', 'application/scim+json\u000b']) {
      t.ok([400, 415].includes((await post(type, rightBody()))?.status ?? 0), JSON.stringify(type))
    }
    t.equal((await post('', rightBody()))?.status, 415)
  })
})
