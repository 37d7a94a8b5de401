import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import t, { type Test } from 'tap'
import { isScimError } from '../e2e/setup.ts'
import { addMembers, groupBody, patchBody, USER_SCHEMA, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const MEBIBYTE = 1024 * 1024

/** The text of every statement that this process sends while `act` runs. */
async function statementsDuring(t: Test, act: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = []
  // biome-ignore lint/suspicious/noExplicitAny: stands in for every overload of pg's query
  const original = pg.Client.prototype.query as (...parameters: any[]) => any
  // biome-ignore lint/suspicious/noExplicitAny: as above
  pg.Client.prototype.query = function (this: pg.Client, ...parameters: any[]) {
    texts.push(String(parameters[0]?.text ?? parameters[0]))
    return original.apply(this, parameters)
  } as typeof pg.Client.prototype.query
  const restore = () => {
    pg.Client.prototype.query = original as typeof pg.Client.prototype.query
  }
  t.teardown(restore)
  await act()
  restore()
  return texts
}

t.test('one service', async (t) => {
  const service = await startTestService(t, { roles: ['Placeholder', 'Agents', 'Admins', 'super_admin'] })
  const { scim, sandbox } = service
  const replace = (path: string, value: unknown) => patchBody({ op: 'replace', path, value })
  const filtered = (filter: string, more = '') =>
    scim('GET', `/Users?filter=${encodeURIComponent(filter)}${more}`)

  t.test('SQL via filter and sort: everything a client says is a parameter', async (t) => {
    const marks = [
      "zzMARK'--",
      'zzMARK%_\\',
      'zzMARK";drop table scim_user;--',
      'zzMARK$1',
      'zzMARK\u{1F600}é',
    ]
    for (const mark of marks) {
      const { status, body } = await scim(
        'POST',
        '/Users',
        userBody(`sql-${randomUUID()}`, { title: mark, displayName: mark }),
      )
      t.equal(status, 201)
      const quoted = JSON.stringify(mark)
      const texts = await statementsDuring(t, async () => {
        for (const operator of ['eq', 'co', 'sw', 'ew', 'ge', 'le']) {
          const found = await filtered(`title ${operator} ${quoted}`)
          t.ok(
            found.body.Resources?.some(({ id }: { id: string }) => id === body.id),
            `${operator} ${mark}`,
          )
        }
        await filtered(`emails[type eq ${quoted}]`)
        await filtered(`externalId eq ${quoted} or id eq ${quoted} or groups.display co ${quoted}`)
        await scim('PATCH', `/Users/${body.id}`, replace('nickName', mark))
        await scim('GET', `/Users/${encodeURIComponent(mark)}`)
        await scim('GET', `/Users?sortBy=${encodeURIComponent(mark)}`)
      })
      t.ok(texts.length > 5)
      t.strictSame(
        texts.filter((text) => text.includes('zzMARK')),
        [],
      )
    }
    // The wildcards of LIKE stand for themselves.
    for (const wild of ['%', '_', '\\', '%%', 'zz_ARK', '%MARK']) {
      const { body } = await filtered(`title co ${JSON.stringify(wild)}`)
      for (const { title } of body.Resources) t.ok(title.includes(wild), `${wild}: ${title}`)
    }
    for (const sortBy of [
      'id; drop table scim_user',
      'name.familyName desc',
      '(select 1)',
      '1',
      'search',
      'tenant_id',
      'position',
    ]) {
      const answer = await scim('GET', `/Users?sortBy=${encodeURIComponent(sortBy)}`)
      isScimError(t, answer, { status: 400, scimType: 'invalidPath' }, sortBy)
    }
    isScimError(t, await scim('GET', '/Users?sortBy=id&sortOrder=desc;x'), {
      status: 400,
      scimType: 'invalidValue',
    })
  })

  t.test('ReDoS: a mebibyte that would make a regular expression try for hours', async (t) => {
    const long: Record<string, object> = {
      'an address of dots': { emails: [{ value: `${'a.'.repeat(MEBIBYTE / 2)}@` }] },
      'an address of at signs': { emails: [{ value: '@'.repeat(MEBIBYTE) }] },
      'a URL': { profileUrl: `http://${'a/'.repeat(MEBIBYTE / 2)} ` },
      'base64 with spaces': { x509Certificates: [{ value: `${' '.repeat(MEBIBYTE)}!` }] },
      'base64 of padding': { x509Certificates: [{ value: '='.repeat(MEBIBYTE) }] },
      'a language': { preferredLanguage: `${'aa-'.repeat(MEBIBYTE / 3)}!` },
      'a role that is JSON': { roles: [{ value: `{${'"a":'.repeat(MEBIBYTE / 4)}` }] },
      'a role that is nested JSON': { roles: [{ value: `{"a":${'['.repeat(MEBIBYTE)}` }] },
      Boolean: { active: `${' '.repeat(MEBIBYTE)}true` },
      combining: { displayName: `a${'\u0301'.repeat(MEBIBYTE / 2)}` },
    }
    for (const [name, change] of Object.entries(long)) {
      const answer = await scim('POST', '/Users', userBody(`redos-${randomUUID()}`, change))
      t.ok(
        [201, 400].includes(answer.status),
        `${name}: ${answer.status} ${answer.body?.detail?.slice(0, 60)}`,
      )
    }
    const search = (filter: string) =>
      scim('POST', '/Users/.search', {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'],
        filter,
      })
    for (const filter of [
      '('.repeat(MEBIBYTE),
      'not '.repeat(MEBIBYTE / 4),
      `userName eq "${'\\\\'.repeat(MEBIBYTE / 2)}`,
      `userName eq "${'a'.repeat(MEBIBYTE)}"`,
      ' '.repeat(MEBIBYTE),
      `${'a.'.repeat(MEBIBYTE / 2)} pr`,
      `${'urn:'.repeat(MEBIBYTE / 4)} pr`,
    ]) {
      isScimError(t, await search(filter), { status: 400, scimType: 'invalidFilter' }, filter.slice(0, 20))
      const path = patchBody({ op: 'replace', path: filter, value: 'x' })
      const { status } = await scim('PATCH', `/Users/${randomUUID()}`, path)
      t.ok([400, 404].includes(status))
    }
    const path = await scim('POST', '/Users', {
      ...userBody('x'),
      schemas: [USER_SCHEMA, 'urn:'.repeat(MEBIBYTE / 4)],
    })
    t.ok([201, 400].includes(path.status))
  })

  t.test('Filter DoS: longer, deeper or with more terms than anybody needs', async (t) => {
    const term = 'title eq "a"'
    const deep = `${'('.repeat(17)}${term}${')'.repeat(17)}`
    isScimError(t, await filtered(deep), {
      status: 400,
      scimType: 'invalidFilter',
      detail: /nested deeper than 16/,
    })
    const wide = Array(51).fill('a pr').join(' or ').replaceAll('a pr', 'title pr')
    isScimError(t, await filtered(wide), { status: 400, scimType: 'tooMany', detail: /more than 50 terms/ })
    const long = `title eq "${'x'.repeat(4096)}"`
    isScimError(t, await filtered(long), {
      status: 400,
      scimType: 'invalidFilter',
      detail: /longer than 4096/,
    })
    t.equal((await filtered(Array(50).fill('title pr').join(' or '))).status, 200, 'the most there may be')
    const [setting] = (await service.database.pool.query('show statement_timeout')).rows
    t.ok(setting)
  })

  t.test('Prototype pollution: keys that reach for prototypes are refused', async (t) => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const body = `{"schemas":["${USER_SCHEMA}"],"userName":"p@example.com","${key}":{"polluted":1}}`
      isScimError(t, await scim('POST', '/Users', body), { status: 400, scimType: 'invalidSyntax' }, key)
      isScimError(t, await filtered(`${key} pr`), { status: 400, scimType: 'invalidFilter' }, key)
    }
    t.notOk('polluted' in {})
  })

  t.test('Mass assignment: only what a schema lets clients write is written', async (t) => {
    const { body: made } = await scim('POST', '/Users', userBody('mass'))
    const { body: other } = await scim('POST', '/Groups', groupBody('Agents'))
    const columns = `tenant_id, id, position::text, created_at::text`
    const read = async () =>
      (await service.database.pool.query(`select ${columns} from scim_user where id = $1`, [made.id])).rows
    const before = await read()
    const smuggled = {
      id: other.id,
      meta: { created: '2000-01-01T00:00:00Z', version: 'W/"99"', location: 'http://evil.example' },
      groups: [{ value: other.id }],
      tenant_id: 2,
      tenantId: 2,
      standing: 'assigned',
      granted: ['super_admin'],
      campaign_manager_id: '1',
      search: {},
      name_key: 'x',
      position: 1,
      version: 99,
      created_at: '2000-01-01',
      password: 'secret-of-mine',
    }
    const put = await scim('PUT', `/Users/${made.id}`, userBody('mass', smuggled))
    t.equal(put.status, 200)
    t.strictSame(await read(), before)
    for (const name of ['tenant_id', 'tenantId', 'standing', 'granted', 'password', 'groups', 'search']) {
      t.notOk(name in put.body, name)
    }
    t.strictSame(put.body.id, made.id)
    t.equal(put.body.meta.created, made.meta.created)
    for (const path of ['id', 'meta.created', 'meta', 'groups']) {
      isScimError(
        t,
        await scim('PATCH', `/Users/${made.id}`, replace(path, smuggled.id)),
        { status: 400, scimType: 'mutability' },
        path,
      )
    }
    t.strictSame((await scim('GET', `/Groups/${other.id}`)).body.members, [], 'and is in no group')

    // Entra sends roles; only groups make roles here.
    const roles = [{ value: 'super_admin', display: 'super_admin', primary: 'True' }]
    await scim('POST', '/Users', userBody('climber', { roles, entitlements: roles, userType: 'super_admin' }))
    await scim('PATCH', `/Users/${made.id}`, patchBody({ op: 'add', path: 'roles', value: roles }))
    await service.settle()
    for (const account of sandbox.state.users()) t.notOk(account.roles.includes('super_admin'), account.email)
  })

  t.test(
    'Group name and role: a protected role is out of reach, and only the group’s own id is its identity',
    async (t) => {
      await protectedRole(t)
      // No two groups of one name, in any case: else a second one could take over the first one's role.
      for (const displayName of ['Agents', 'AGENTS', 'aGENTs']) {
        const answer = await scim('POST', '/Groups', groupBody(displayName, { externalId: randomUUID() }))
        isScimError(t, answer, { status: 409, scimType: 'uniqueness' }, displayName)
      }
    },
  )

  t.test('Type confusion: nothing is true because it is not empty', async (t) => {
    const values: [value: unknown, expected: boolean | undefined][] = [
      ['False', false],
      ['false', false],
      ['True', true],
      [false, false],
      ['0', undefined],
      ['1', undefined],
      [0, undefined],
      [1, undefined],
      ['no', undefined],
      ['yes', undefined],
      [{}, undefined],
      [['False'], undefined],
      [[false], undefined],
    ]
    for (const [active, expected] of values) {
      const name = `typed-${randomUUID()}`
      const { status, body } = await scim('POST', '/Users', userBody(name, { active }))
      if (expected === undefined)
        t.match({ status, body }, { status: 400, body: { scimType: 'invalidValue' } }, JSON.stringify(active))
      else t.match({ status, body }, { status: 201, body: { active: expected } }, JSON.stringify(active))
    }
    for (const [path, value] of [
      ['userName', 7],
      ['userName', ['a']],
      ['userName', { value: 'a' }],
      ['name', 'Ann'],
      ['emails', [[7]]],
      ['emails', [7]],
      [`${ENTERPRISE}:employeeNumber`, 7],
      ['title', true],
    ] as const) {
      const { body: user } = await scim('POST', '/Users', userBody(`typed-${randomUUID()}`))
      const answer = await scim('PATCH', `/Users/${user.id}`, replace(path, value))
      isScimError(t, answer, { status: 400, scimType: 'invalidValue' }, `${path} = ${JSON.stringify(value)}`)
    }
  })

  t.test(
    'Huge groups: a list has no more than 1,000 resources, and a body no more than its limit',
    async (t) => {
      t.equal((await scim('GET', '/Users?count=2147483647')).status, 200)
      const ids = Array.from({ length: 60 }, () => randomUUID())
      const { body: group } = await scim('POST', '/Groups', groupBody('Admins'))
      const unknown = await scim('PATCH', `/Groups/${group.id}`, addMembers(...ids))
      isScimError(t, unknown, { status: 400, scimType: 'invalidValue' }, 'sixty at once are read as one')
      const wide = userBody('wide', { title: 'x'.repeat(9 * MEBIBYTE) })
      isScimError(t, await scim('POST', '/Users', wide), { status: 413 })
    },
  )

  t.test('SSRF: nothing that a resource refers to is ever fetched', (t) => fetchesNothing(t, service))
})

async function protectedRole(t: Test): Promise<void> {
  const { scim, settle, sandbox } = await startTestService(t, {
    env: { PROTECTED_ROLES: 'super_admin' },
    roles: ['Placeholder', 'Agents', 'super_admin'],
  })
  const { body: user } = await scim('POST', '/Users', userBody('climber'))
  const { body: group } = await scim('POST', '/Groups', groupBody('Agents'))
  await scim('PATCH', `/Groups/${group.id}`, addMembers(user.id))
  for (const name of ['super_admin', 'SUPER_ADMIN', 'ｓuper_admin']) {
    isScimError(
      t,
      await scim('POST', '/Groups', groupBody(name)),
      { status: 400, scimType: 'invalidValue' },
      name,
    )
    const rename = patchBody({ op: 'replace', path: 'displayName', value: name })
    isScimError(
      t,
      await scim('PATCH', `/Groups/${group.id}`, rename),
      { status: 400, scimType: 'invalidValue' },
      name,
    )
  }
  await settle()
  t.match(sandbox.state.users(), [{ roles: ['Agents'] }])
}

/** A server that counts, at every place where an address may stand. */
async function fetchesNothing(t: Test, { scim, settle, resync }: TestService): Promise<void> {
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    response.end()
  }).on('connection', () => {
    asked += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/latest/meta-data`
  const addresses = {
    profileUrl: target,
    photos: [{ value: target, type: 'photo' }],
    emails: [{ value: 'ssrf@example.com', type: 'work', $ref: target }],
    addresses: [{ formatted: target }],
    ims: [{ value: target }],
    x509Certificates: [{ value: Buffer.from(target).toString('base64') }],
    meta: { location: target },
    [ENTERPRISE]: { manager: { value: target, $ref: target } },
    schemas: [USER_SCHEMA, ENTERPRISE, target],
  }
  const { status, body: user } = await scim('POST', '/Users', userBody('ssrf', addresses))
  t.equal(status, 201)
  const { body: group } = await scim('GET', '/Groups?filter=displayName eq "Agents"')
  const path = `/Groups/${group.Resources[0].id}`
  const member = { value: user.id, $ref: target, type: 'User', display: target }
  t.equal((await scim('PATCH', path, patchBody({ op: 'Add', path: 'members', value: [member] }))).status, 204)
  await scim('PATCH', `/Users/${user.id}`, patchBody({ op: 'replace', path: 'profileUrl', value: target }))
  await scim('GET', `/Users/${user.id}`, undefined, {
    referer: target,
    origin: target,
    'x-forwarded-host': target,
  })
  await scim('GET', `/Users?filter=${encodeURIComponent(`profileUrl eq "${target}"`)}`)
  await scim('GET', `/Schemas/${encodeURIComponent(target)}`)
  await settle()
  await resync()
  t.equal(asked, 0)
}
