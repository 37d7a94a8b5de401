import t, { type Test } from 'tap'
import { callCommand } from '../support/command.ts'
import { createDatabase } from '../support/database.ts'

async function setup(t: Test) {
  const { url } = await createDatabase(t)
  const call = (...args: string[]) => callCommand(args, { DATABASE_URL: url })
  const json = async (...args: string[]) => {
    const { status, stdout, stderr } = await call(...args, '--json')
    if (status !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }
  return { call, json }
}

const DAY = 86_400_000
const days = (from: string, to: string) => Math.round((Date.parse(to) - Date.parse(from)) / DAY)

const FEDERATION = [
  '--federated-issuer',
  'https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0',
  '--federated-subject',
  'subject',
  '--federated-audience',
  'api://one',
  '--federated-audience',
  'api://two',
]

t.test('clients: created, listed, rotated and revoked', async (t) => {
  const { call, json } = await setup(t)
  const { clientId, secret, ...more } = await json('client', 'create', '--name', 'entra')
  t.strictSame(more, { tenant: 'default', name: 'entra', access: 'write' })
  t.match(clientId, /^[0-9a-f]{32}$/)
  t.match(secret, /^scim_secret_[\w-]{43}$/)

  const [listed] = await json('client', 'list')
  t.match(listed, { tenant: 'default', id: clientId, name: 'entra', access: 'write', federation: null })
  t.equal(days(listed.created, listed.secrets[0].expires), 365)
  t.equal(listed.lastUsed, null)
  const table = await call('client', 'list')
  t.match(table.stdout, new RegExp(`default +${clientId} +entra +write +secret`))
  t.notMatch(table.stdout, secret, 'a secret is shown once')

  const rotated = await json(
    'client',
    'rotate',
    clientId,
    '--overlap-hours',
    '48',
    '--expires-in-days',
    '1096',
  )
  t.not(rotated.secret, secret)
  const [after] = await json('client', 'list')
  t.equal(after.secrets.length, 2)
  t.equal(days(after.secrets[0].created, rotated.oldExpires), 2)
  t.equal(days(after.secrets[0].created, after.secrets[0].expires), 1096)
  t.match(await call('client', 'rotate', clientId), { status: 1, stderr: /has two secrets in force already/ })
  t.match(await call('client', 'rotate', clientId, '--overlap-hours', '0'), {
    status: 0,
    stdout: /client secret: scim_secret_/,
  })

  t.match(await call('client', 'revoke', clientId), { status: 0 })
  t.match(await call('client', 'rotate', clientId), { status: 1, stderr: /is revoked/ })
  t.type((await json('client', 'list'))[0].revoked, 'string')
})

t.test('a client belongs to its tenant', async (t) => {
  const { call, json } = await setup(t)
  await call('tenant', 'create', 'acme')
  const { clientId } = await json('client', 'create', '--name', 'x', '--tenant', 'acme', '--access', 'read')
  t.match(await call('client', 'revoke', clientId), { status: 1, stderr: /tenant default has no client/ })
  t.match(await call('client', 'rotate', clientId), { status: 1, stderr: /tenant default has no client/ })
  t.strictSame(await json('client', 'list', '--tenant', 'default'), [])
  t.match(await json('client', 'list'), [{ tenant: 'acme', access: 'read' }])
  t.match(await call('client', 'create', '--name', 'x', '--tenant', 'nobody'), {
    status: 1,
    stderr: /no tenant named nobody/,
  })
})

t.test('a federated client has no secret', async (t) => {
  const { call, json } = await setup(t)
  const created = await json('client', 'create', '--name', 'entra', ...FEDERATION)
  t.equal(created.secret, undefined)
  t.match(await json('client', 'list'), [
    { secrets: [], federation: { subject: 'subject', audiences: ['api://one', 'api://two'], jwksUrl: null } },
  ])
  t.match(await call('client', 'rotate', created.clientId), { status: 1, stderr: /has no secrets/ })
  t.match(await call('client', 'create', '--name', 'again', ...FEDERATION), {
    status: 1,
    stderr: /has this federated issuer and subject already/,
  })
})

t.test('wrong use', async (t) => {
  const { call } = await setup(t)
  const cases: [args: string[], message: RegExp][] = [
    [[], /say "client create --name NAME"/],
    [['constructor'], /say "client create/],
    [['revoke'], /say "client create/],
    [['list', 'x'], /say "client create/],
    [['create'], /--name is required/],
    [['create', '--name', 'x', '--access', 'admin'], /--access must be/],
    [['create', '--name', 'x', '--expires-in-days', '30'], /between 365 and 1096/],
    [['create', '--name', 'x', '--overlap-hours', '1'], /--overlap-hours is not for "client create"/],
    [['rotate', 'x', '--overlap-hours', '-1'], /--overlap-hours/],
    [['create', '--name', 'x', '--jwks-url', 'https://a.example/keys'], /--federated-issuer is required/],
    [['create', '--name', 'x', ...FEDERATION.slice(0, 4)], /--federated-audience is required/],
    [['create', '--name', 'x', ...FEDERATION, '--expires-in-days', '365'], /is for secrets/],
    [['create', '--name', 'x', ...FEDERATION, '--jwks-url', 'http://a.example/keys'], /must be an https URL/],
  ]
  for (const [args, message] of cases) {
    t.match(await call('client', ...args), { status: 2, stderr: message }, args.join(' '))
  }
})

t.test("tenant entra: whether a tenant accepts Entra's own tokens", async (t) => {
  const { call, json } = await setup(t)
  const entra = (name: string, ...args: string[]) => call('tenant', 'entra', name, ...args)
  await call('tenant', 'create', 'acme')
  t.match(await entra('default'), { status: 0, stdout: /accepts no tokens that Entra issues/ })
  t.equal(await json('tenant', 'entra', 'default'), null)
  const directory = ['--entra-tenant-id', 'AAAAAAAA-2222-4333-8444-555555555555', '--audience', 'api://x']
  t.match(await entra('default', ...directory), { status: 0 })
  t.strictSame(await json('tenant', 'entra', 'default'), {
    entraTenantId: 'aaaaaaaa-2222-4333-8444-555555555555',
    audience: 'api://x',
    appId: '00000014-0000-0000-c000-000000000000',
  })
  t.match(await entra('acme', ...directory), { status: 1, stderr: /another tenant accepts/ })
  t.match(await entra('default', '--off'), { status: 0 })
  t.match(await entra('acme', ...directory), { status: 0 })
  for (const args of [['--off'], [], directory]) {
    t.match(await entra('nobody', ...args), { status: 1, stderr: /no tenant named nobody/ })
  }
  for (const [args, message] of [
    [['--audience', 'x'], /--entra-tenant-id is required/],
    [['--entra-tenant-id', 'common', '--audience', 'x'], /must be a GUID/],
    [directory.slice(0, 2), /--audience is required/],
    [[...directory, '--off'], /for themselves/],
    [['acme'], /say "tenant entra NAME"/],
  ] as const) {
    t.match(await entra('default', ...args), { status: 2, stderr: message })
  }
})
