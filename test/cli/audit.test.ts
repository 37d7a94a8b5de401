import { sql } from 'kysely'
import t from 'tap'
import { recordAudit } from '../../src/audit/record.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { callCommand } from '../support/command.ts'
import { openDatabase } from '../support/database.ts'
import { addMembers, groupBody, patchBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

t.test('why does Ann have this role, and why does Bob still have access?', async (t) => {
  const service = await startTestService(t)
  const { scim, database, settle, sandbox } = service
  const audit = (...args: string[]) => callCommand(['audit', ...args], { DATABASE_URL: database.url })
  const list = async (...args: string[]) => JSON.parse((await audit('list', ...args, '--json')).stdout)
  const summary = async (...args: string[]) =>
    (await list(...args)).map(({ operation, effect }: { operation: string; effect: string | null }) =>
      [operation, effect].filter((part) => part).join(' '),
    )
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const bob = (await scim('POST', '/Users', userBody('bob'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann, bob), { 'x-request-id': 'who-did-it' })
  await settle()
  await scim('PATCH', `/Groups/${group}`, removeMembers(bob))
  sandbox.state.faults.set({ kind: 'error', status: 503, method: 'DELETE', times: 1 })
  await settle()

  t.same(await summary('--user', ann), ['user.create', 'group.change joined', 'account.create'])
  t.same(await summary('--user', 'ANN@example.com'), await summary('--user', ann), 'by the name too')
  t.same(await summary('--user', 'bob@example.com', '--tenant', 'default'), [
    'user.create',
    'group.change joined',
    'account.create',
    'group.change left',
    'account.delete',
  ])
  const shown = await audit('list', '--user', 'bob@example.com')
  t.match(
    shown.stdout,
    /SCIM_TOKEN +group\.change +Group Campaign Editor \S+ +ok +user joined; members; members \+2 -0; role "Campaign Editor" +who-did-it/,
  )
  t.match(shown.stdout, /account\.create +Account bob@example\.com \S+ +ok .*roles none -> "Campaign Editor"/)
  t.match(shown.stdout, /account\.delete .*unknown: unavailable .*roles "Campaign Editor" -> none/)
  t.match(
    shown.stderr,
    new RegExp(`the account of ${bob} \\(bob@example.com\\) is not as it should be since .*unavailable`),
  )
  t.same(await summary('--group', group), ['group.create', 'group.change', 'group.change'])
  t.same(await summary('--operation', 'account', '--limit', '2'), ['account.create', 'account.delete'])
  t.same(await summary('--operation', 'group.create', '--since', '2020-01-01'), ['group.create'])
  t.same(await summary('--until', '2020-01-01T00:00:00Z'), [])
  const unknown = {
    status: 1,
    stdout: '',
    stderr: /^nobody has the userName 'nobody', or had it when deleted/,
  }
  t.match(await audit('list', '--user', 'nobody'), unknown)
  t.match(await audit('list', '--tenant', 'nobody'), {
    status: 1,
    stderr: 'there is no tenant named nobody\n',
  })

  t.match(await audit('erase', '--tenant', 'default', '--user', bob), { status: 0 })
  await scim('DELETE', `/Users/${bob}`)
  t.notMatch((await audit('list')).stdout, /bob@/)
  t.match(await audit('list', '--user', 'bob@example.com'), { status: 1 }, 'the name leads nowhere any more')
  t.match(await summary('--user', bob), ['user.create'], 'the id does')
  t.match(await audit('erase', '--tenant', 'default', '--user', bob), { status: 1 })
  t.match(await audit('erase', '--tenant', 'default', '--user', 'bob@example.com'), { status: 2 })
  t.match(await audit('verify'), { status: 0 })
})

t.test('a role that came because the group was renamed', async (t) => {
  const { scim, database, settle } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  const group = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann), { 'x-request-id': 'joining' })
  await settle()
  const rename = patchBody({ op: 'Replace', path: 'displayName', value: 'Campaign Viewer' })
  await scim('PATCH', `/Groups/${group}`, rename, { 'x-request-id': 'renaming' })
  await settle()
  const { stdout } = await callCommand(['audit', 'list', '--user', 'ann@example.com'], {
    DATABASE_URL: database.url,
  })
  const [, , joined, , renamed, replaced] = stdout.split('\n')
  t.match(joined, /Group Campaign Editor .*user joined; .*role "Campaign Editor" +joining/)
  t.match(
    renamed,
    /Group Campaign Viewer .*user concerned; .*"Campaign Viewer"; was "Campaign Editor" +renaming/,
  )
  t.match(replaced, /roles "Campaign Editor" -> "Campaign Viewer"/)
})

t.test('a name cannot move anything on a terminal, nor begin a line', async (t) => {
  const { scim, database } = await startTestService(t, { env: { UNKNOWN_ROLE: 'hold' } })
  const evil = 'Editor\n2026-01-01 FORGED\r\u001b[31m\u009b2J\u202e\u2028end'
  const group = (await scim('POST', '/Groups', groupBody(evil))).body.id
  const ann = (await scim('POST', '/Users', userBody('ann', { userName: `ann\u001b[0m\nFORGED` }))).body.id
  await scim('PATCH', `/Groups/${group}`, addMembers(ann))
  await inTransaction(database.db, async (trx) =>
    recordAudit(
      trx,
      1,
      { actor: 'x\u001b[1m', requestId: 'a\nFORGED' },
      { operation: 'user.change', resourceType: 'User', wantedRoles: [evil] },
    ),
  )
  for (const form of [[], ['--json']]) {
    const { status, stdout } = await callCommand(['audit', 'list', ...form], { DATABASE_URL: database.url })
    t.equal(status, 0)
    t.notMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\u2028\u2029\u202a-\u202e]/u)
    t.notMatch(stdout, /^\s*FORGED|^2026-01-01 FORGED/m)
    t.match(
      stdout,
      form.length > 0
        ? /"Editor\\n2026-01-01 FORGED/
        : /Editor\\u000a2026-01-01 FORGED\\u000d\\u001b\[31m\\u009b2J\\u202e\\u2028end/,
    )
  }
})

t.test('verify, head and export', async (t) => {
  const { db, url } = await openDatabase(t)
  const audit = (...args: string[]) => callCommand(['audit', ...args], { DATABASE_URL: url })
  t.match(await audit('verify'), { status: 0, stdout: 'default: nothing has been told yet\n' })
  await callCommand(['tenant', 'create', 'acme'], { DATABASE_URL: url })
  const created = await callCommand(['token', 'create', '--tenant', 'acme', '--name', 'x', '--json'], {
    DATABASE_URL: url,
  })
  const { id } = JSON.parse(created.stdout)
  await callCommand(['token', 'revoke', id, '--tenant', 'acme'], { DATABASE_URL: url })
  await callCommand(['token', 'revoke', id, '--tenant', 'acme'], { DATABASE_URL: url })
  const lines = (await audit('export', '--tenant', 'acme')).stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(
    lines.map(({ entry }) => [entry.actor, entry.operation, entry.resourceId]),
    [
      ['operator', 'tenant.create', '2'],
      ['operator', 'token.create', id],
      ['operator', 'token.revoke', id],
    ],
    'commands are told, and what changes nothing is not',
  )
  t.equal((await audit('export', '--since-sequence', '3')).stdout.split('\n').length, 2)
  const [head] = JSON.parse((await audit('head', '--tenant', 'acme', '--json')).stdout)
  t.match(head, { tenant: 'acme', sequence: 3, hash: lines[2].hash })
  const shipped = `${head.sequence}:${head.hash}`
  t.match((await audit('head')).stdout, new RegExp(`acme +${shipped}`))
  t.match(await audit('verify', '--tenant', 'acme', '--head', shipped), {
    status: 0,
    stdout: `acme: whole, entries 1 to 3, head ${shipped}\n`,
  })
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`update audit_entry set actor = 'nobody' where sequence = 2`.execute(trx)
  })
  t.match(await audit('verify', '--json'), { status: 1, stdout: /"kind": "broken",\s+"sequence": 2/ })
  t.match(await audit('verify', '--tenant', 'acme'), { status: 1, stdout: /^acme: BROKEN at entry 2: / })
  t.match(await audit('verify', '--tenant', 'default'), { status: 0 })
  t.match(await audit('prune', '--older-than-days', '10'), { status: 0, stdout: '0 entries taken away\n' })
  for (const command of ['verify', 'export', 'head']) {
    t.match(await audit(command, '--tenant', 'nobody'), { status: 1, stderr: /no tenant named nobody/ })
  }
})

t.test('wrong use', async (t) => {
  const cases: [args: string[], message: RegExp][] = [
    [[], /say "audit list", "audit verify"/],
    [['list', 'x'], /say "audit list"/],
    [['list', '--head', 'x'], /--head is not for "audit list"/],
    [['list', '--since', 'yesterday'], /--since must be a date/],
    [['list', '--until', '2026-02-31T99:00Z'], /--until must be a date/],
    [['list', '--limit', '0'], /--limit must be a whole number/],
    [['list', '--operation', 'dance'], /there is no operation 'dance'/],
    [['list', '--group', 'Editors'], /--group must be the group's id/],
    [['verify', '--tenant', 'default', '--head', '5'], /--head must be SEQUENCE:HASH/],
    [['verify', '--head', `5:${'0'.repeat(64)}`], /--head needs --tenant/],
    [['erase', '--user', 'x'], /--tenant is required/],
    [['prune'], /--older-than-days is required/],
    [['prune', '--older-than-days', '0'], /1 or more/],
  ]
  for (const [args, message] of cases) {
    const { status, stderr } = await callCommand(['audit', ...args])
    t.equal(status, 2, args.join(' '))
    t.match(stderr, message)
  }
})

t.test('a change of a user does not end who is told of: a rename is followed', async (t) => {
  const { scim, database } = await startTestService(t)
  const ann = (await scim('POST', '/Users', userBody('ann'))).body.id
  await scim(
    'PATCH',
    `/Users/${ann}`,
    patchBody({ op: 'replace', path: 'userName', value: 'ann.lee@example.com' }),
  )
  const { stdout } = await callCommand(['audit', 'list', '--user', 'ann.lee@example.com'], {
    DATABASE_URL: database.url,
  })
  t.match(stdout, /user\.create +User ann\.lee@example\.com/)
  await scim('DELETE', `/Users/${ann}`)
  const gone = await callCommand(['audit', 'list', '--user', 'ann.lee@example.com'], {
    DATABASE_URL: database.url,
  })
  t.match(gone.stdout, /user\.delete +User ann\.lee@example\.com/)
})
