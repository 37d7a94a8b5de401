import t from 'tap'
import { callCommand, runCommand, startCommand } from '../support/command.ts'
import { createDatabase, createEmptyDatabase } from '../support/database.ts'
import { scimClient } from '../support/scim-client.ts'

t.test('wrong use is exit status 2 and says what is wrong', async (t) => {
  const cases: [args: string[], env: Record<string, string>, message: RegExp][] = [
    [['dance'], {}, /there is no command 'dance'/],
    [['constructor'], {}, /there is no command 'constructor'/],
    [['serve', '--fast'], {}, /--fast/],
    [['tenant'], {}, /say "tenant create NAME"/],
    [['tenant', 'create', 'Acme Corp'], {}, /'Acme Corp' cannot be the name of a tenant/],
    [['token', 'create'], {}, /--name is required/],
    [['token', 'create', '--name', 'x', '--expires-in-days', 'soon'], {}, /--expires-in-days/],
    [['sandbox', '--port', 'x'], {}, /--port cannot be 'x'/],
    [['serve'], { PORT: 'x', ON_DEACTIVATE: 'explode' }, /^PORT: .*\nON_DEACTIVATE: .*\n$/],
    [
      ['serve'],
      { NODE_ENV: 'production' },
      /^DATABASE_URL: must be set.*\nCAMPAIGN_MANAGER_URL: must be set.*\n$/,
    ],
  ]
  await Promise.all(
    cases.map(async ([args, env, message]) => {
      const { status, stderr } = await callCommand(args, env)
      t.equal(status, 2, `${args.join(' ')} ends with 2`)
      t.match(stderr, message)
    }),
  )
})

t.test('every command has --help', async (t) => {
  const overview = await runCommand(t, ['--help'])
  t.equal(overview.status, 0)
  const names = ['serve', 'migrate', 'tenant', 'token', 'drift', 'audit', 'sandbox', 'demo']
  const helps = await Promise.all(names.map((name) => callCommand([name, '--help'])))
  for (const [index, name] of names.entries()) {
    t.match(overview.stdout, new RegExp(`^  ${name} `, 'm'))
    t.match(helps[index], { status: 0, stdout: `Usage: ${name}` })
  }
})

t.test('migrate brings an empty database up to date, and says when it is', async (t) => {
  const { url } = await createEmptyDatabase(t)
  const first = await runCommand(t, ['migrate'], { DATABASE_URL: url })
  t.match(first, { status: 0, stdout: /applied 0001_tenants\n.*applied 0003_reconcile\n/s })
  const second = await callCommand(['migrate'], { DATABASE_URL: url })
  t.match(second, { status: 0, stdout: 'The database is current.\n' })
  const away = await callCommand(['migrate'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
  t.match(away, { status: 1, stderr: /ECONNREFUSED/ })
})

t.test('tenants and tokens: created, listed, used, revoked', async (t) => {
  const { url } = await createDatabase(t)
  const env = { DATABASE_URL: url }
  t.match(await callCommand(['tenant', 'create', 'acme'], env), { status: 0 })
  t.match(await callCommand(['tenant', 'create', 'acme'], env), {
    status: 1,
    stderr: /acme exists already/,
  })
  const tenants = JSON.parse((await callCommand(['tenant', 'list', '--json'], env)).stdout)
  t.same(
    tenants.map(({ name }: { name: string }) => name),
    ['default', 'acme'],
  )
  t.match(await callCommand(['token', 'create', '--tenant', 'nobody', '--name', 'x'], env), {
    status: 1,
    stderr: /no tenant named nobody/,
  })
  const create = ['token', 'create', '--tenant', 'acme', '--name', 'entra', '--json']
  const { id, token } = JSON.parse((await callCommand(create, env)).stdout)
  const listed = await callCommand(['token', 'list'], env)
  t.match(listed.stdout, new RegExp(`acme +${id} +entra`))
  t.notMatch(listed.stdout, token.slice(-43), 'a token is shown once')

  const service = startCommand(t, ['serve'], { ...env, PORT: '0' })
  const [, address = ''] = await service.printed(/(http:\/\/\S+)\/scim\/v2/)
  const scim = scimClient(address, token)
  t.equal((await scim('GET', '/Users')).status, 200)
  t.match(await callCommand(['token', 'revoke', id], env), { status: 1 }, 'it is of another tenant')
  t.match(await callCommand(['token', 'revoke', id, '--tenant', 'acme'], env), { status: 0 })
  t.equal((await scim('GET', '/Users')).status, 401, 'at once')
})

t.test('a token that expired is refused', async (t) => {
  const { url } = await createDatabase(t)
  const env = { DATABASE_URL: url }
  const created = await runCommand(
    t,
    ['token', 'create', '--name', 'x', '--expires-in-days', '1', '--json'],
    env,
  )
  const { token } = JSON.parse(created.stdout)
  const service = startCommand(t, ['serve'], { ...env, PORT: '0' })
  const [, address = ''] = await service.printed(/(http:\/\/\S+)\/scim\/v2/)
  const scim = scimClient(address, token)
  t.equal((await scim('GET', '/Users')).status, 200)
  const { connect } = await import('../../src/db/connect.ts')
  const { log } = await import('../support/test-run.ts')
  const { db, close } = connect({ url, log, poolMax: 1 })
  t.teardown(close)
  await db
    .updateTable('scim_token')
    .set({ expires_at: new Date(0) })
    .execute()
  t.equal((await scim('GET', '/Users')).status, 401)
})

t.test('the sandbox runs alone and shows its accounts', async (t) => {
  const sandbox = startCommand(t, ['sandbox', '--port', '0', '--token', 'key'])
  const [, api = ''] = await sandbox.printed(/sandbox: (http:\S+)/)
  const roles = await fetch(`${api}/roles`, { headers: { authorization: 'Bearer key' } })
  t.match(await roles.json(), { roles: [{ name: 'Placeholder' }] })
  t.match(await (await fetch(new URL('/', api))).text(), /Placeholder/)
  sandbox.child.kill('SIGTERM')
  t.match(await sandbox.ended, { status: 0 })
})
