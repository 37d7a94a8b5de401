import t, { type Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { callCommand } from '../support/command.ts'
import { createDatabase } from '../support/database.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

t.test('wrong use of token is exit status 2 and says what is wrong', async (t) => {
  const cases: [args: string, message: RegExp][] = [
    ['create --name x --expires-in-days 0', /--expires-in-days must be a whole number between 1 and 36500/],
    ['create --name x --expires-in-days 1.5', /--expires-in-days must be a whole number/],
    ['create --name x --expires-in-days 7 --never', /either --expires-in-days or --never/],
    ['create --name x --access admin', /--access must be "read" or "write"/],
    ['create --name x --overlap-hours 1', /--overlap-hours is not for "token create"/],
    ['rotate', /say "token create --name NAME", "token list", "token rotate ID" or "token revoke ID"/],
    ['rotate a b', /say "token create/],
    ['rotate a --overlap-hours 721', /--overlap-hours must be a whole number between 0 and 720/],
    ['rotate a --overlap-hours=-1', /--overlap-hours must be a whole number/],
    ['rotate a --name x', /--name is not for "token rotate"/],
    ['revoke a --json', /--json is not for "token revoke"/],
    ['constructor', /say "token create/],
  ]
  for (const [args, message] of cases) {
    const { status, stderr } = await callCommand(['token', ...args.split(' ')])
    t.equal(status, 2, args)
    t.match(stderr, message)
  }
})

t.test('production has no embedded database to make a token in', async (t) => {
  const { status, stderr } = await callCommand(['token', 'create', '--name', 'x'], {
    NODE_ENV: 'production',
    DATA_DIR: t.testdir(),
  })
  t.equal(status, 2)
  t.match(stderr, /^DATABASE_URL: must be set with NODE_ENV=production/)
})

t.test('a list of nobody’s is no empty list', async (t) => {
  const { env } = await setup(t)
  for (const command of ['token', 'client']) {
    const listed = await callCommand([command, 'list', '--tenant', 'nobody'], env)
    t.match(listed, { status: 1, stdout: '', stderr: 'there is no tenant named nobody\n' })
  }
})

t.test('a token lives for a year, unless told otherwise', async (t) => {
  const { json } = await setup(t)
  t.equal(lifeOf(await json('create', '--name', 'x')), 365 * DAY)
  t.equal(lifeOf(await json('create', '--name', 'x', '--expires-in-days', '2')), 2 * DAY)
  t.match(await json('create', '--name', 'x', '--never'), { expires: null, access: 'write' })
})

t.test('a token says whether it is of production', async (t) => {
  const { env, json } = await setup(t)
  t.match((await json('create', '--name', 'x')).token, /^scim_dev_/)
  const { stdout } = await callCommand(['token', 'create', '--name', 'x'], { ...env, NODE_ENV: 'production' })
  t.match(stdout, /^scim_prod_[a-z0-9]{16}_[\w-]{43}\n$/)
})

t.test('GitLab #11640: a token is shown once, and never again', async (t) => {
  const { env, json } = await setup(t)
  const { id, token } = await json('create', '--name', 'x', '--access', 'read')
  const rotated = await json('rotate', id)
  const later = await Promise.all(
    [['list'], ['list', '--json'], ['revoke', id], ['rotate', id], ['list', '--json']].map((args) =>
      callCommand(['token', ...args], env),
    ),
  )
  for (const { stdout, stderr } of later) {
    for (const secret of [token, rotated.token]) t.notOk((stdout + stderr).includes(secret.slice(-43)))
  }
})

t.test('rotate makes a successor and says when the old token ends', async (t) => {
  const { env, json } = await setup(t)
  await callCommand(['tenant', 'create', 'acme'], env)
  const { id } = await json('create', '--tenant', 'acme', '--name', 'entra', '--access', 'read')
  t.match(await callCommand(['token', 'rotate', id], env), {
    status: 1,
    stderr: `tenant default has no token ${id}\n`,
  })
  const rotated = await json('rotate', id, '--tenant', 'acme')
  t.match(rotated, { tenant: 'acme', name: 'entra', access: 'read', replaces: id, token: /^scim_dev_/ })
  t.equal(lifeOf(rotated), 365 * DAY)
  t.equal(near(rotated.oldExpires), DAY)

  const human = await callCommand(
    ['token', 'rotate', rotated.id, '--tenant', 'acme', '--overlap-hours', '0', '--never'],
    env,
  )
  t.match(human, {
    status: 0,
    stdout: /^scim_dev_\S+\n$/,
    stderr: new RegExp(`valid for ever: .*\ntoken ${rotated.id}, which it replaces, ends at `),
  })
  t.match(await callCommand(['token', 'rotate', rotated.id, '--tenant', 'acme'], env), {
    status: 1,
    stderr: `token ${rotated.id} is expired: create a new one\n`,
  })
})

t.test('the list shows the state, the access and the last use of each token', async (t) => {
  const { env, json } = await setup(t)
  const ids = [
    (await json('create', '--name', 'plain')).id,
    (await json('create', '--name', 'reader', '--access', 'read', '--expires-in-days', '3')).id,
    (await json('create', '--name', 'gone', '--never')).id,
  ]
  await callCommand(['token', 'revoke', ids[2]], env)
  const { stdout } = await callCommand(['token', 'list'], env)
  const [head, ...lines] = stdout.trimEnd().split('\n')
  t.match(head, /^TENANT +ID +NAME +ACCESS +STATE +CREATED +EXPIRES +LAST USED$/)
  t.equal(lines.length, 3)
  t.match(lines[0], new RegExp(`^default +${ids[0]} +plain +write +active +\\S+Z +\\S+Z +never$`))
  t.match(lines[1], /reader +read +expires soon +\S+Z +\S+Z +never$/)
  t.match(lines[2], /gone +write +revoked +\S+Z +never +never$/)
  t.match(await json('list'), [
    { id: ids[0], state: 'active', lastUsed: null, revoked: null },
    { id: ids[1], state: 'expires soon', access: 'read' },
    { id: ids[2], state: 'revoked', expires: null },
  ])
})

async function setup(t: Test) {
  const { url } = await createDatabase(t)
  const env = { DATABASE_URL: url }
  return {
    env,
    /** What a command prints with --json. */
    async json(...args: string[]) {
      const { status, stdout, stderr } = await callCommand(['token', ...args, '--json'], env)
      if (status !== 0) throw new Error(stderr)
      return JSON.parse(stdout)
    },
  }
}

const lifeOf = ({ expires }: { expires: string }): number => near(expires)

/** How long it is until then, to the hour: more than the test takes. */
const near = (time: string): number =>
  Math.round((Date.parse(time) - systemClock.now().getTime()) / HOUR) * HOUR
