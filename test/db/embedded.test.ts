import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startEmbeddedPostgres, stopEmbeddedPostgres } from '../../src/db/embedded.ts'
import { closedFolder } from '../../src/db/embedded-binaries.ts'
import { log } from '../support/test-run.ts'

const root = process.getuid?.() === 0
const source = join(import.meta.dirname, '../../src')

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'campaign-manager-scim-embedded-')))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

/** A process of its own that starts the database of `dataDir`; it says the address, or why not. */
async function startInProcess(t: Test, dataDir: string, user: { uid?: number; gid?: number } = {}) {
  const program = `
    import { startEmbeddedPostgres } from '${source}/db/embedded.ts'
    import { createLogger } from '${source}/log.ts'
    const log = createLogger({ level: 'silent' })
    try {
      const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log, durable: false })
      console.log(JSON.stringify({ url: server.url }))
      process.stdin.once('end', () => server.stop()).resume()
    } catch (error) {
      console.log(JSON.stringify({ message: error.message }))
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: dataDir,
    env: { HOME: dataDir },
    stdio: ['pipe', 'pipe', 'inherit'],
    ...user,
  })
  const ended = once(child, 'exit')
  t.teardown(() => ended)
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  return { child, ended, answer: JSON.parse(line) as { url: string; message?: string } }
}

t.test('the data of one folder', async (t) => {
  const dataDir = await temporaryFolder(t)
  const start = () => startEmbeddedPostgres({ dataDir, log, durable: false })
  t.teardown(() => stopEmbeddedPostgres({ dataDir, log }))
  await mkdir(join(dataDir, 'postgres.initdb/base'), { recursive: true })
  await writeFile(join(dataDir, 'postgres.initdb/PG_VERSION'), 'half')

  await t.test('is made on the first start, also after one that was killed while making it', async (t) => {
    const server = await start()
    t.match(server.url, /^postgres:\/\/postgres:[0-9a-f]{48}@127\.0\.0\.1:\d+\/postgres$/)
    await query(server.url, 'create table kept as select 1 as one')
    const [settings] = await query(
      server.url,
      `select current_setting('listen_addresses') as listen, current_setting('unix_socket_directories') as sockets,
              current_setting('server_encoding') as encoding, datlocprovider as provider, datlocale as locale
         from pg_database where datname = 'postgres'`,
    )
    t.strictSame(settings, {
      listen: '127.0.0.1',
      sockets: '',
      encoding: 'UTF8',
      provider: 'b',
      locale: 'C.UTF-8',
    })
    await t.rejects(query(server.url.replace(/:[0-9a-f]{48}@/, ':wrong@'), 'select 1'), { code: '28P01' })
    t.equal((await stat(join(dataDir, 'postgres/service-password'))).mode & 0o777, 0o600)
    await Promise.all([server.stop(), server.stop()])
    await t.rejects(query(server.url, 'select 1'), { code: 'ECONNREFUSED' })
  })

  await t.test('is there after a restart', async (t) => {
    const server = await startEmbeddedPostgres({ dataDir, log })
    t.strictSame(await query(server.url, 'select one from kept'), [{ one: 1 }])
    t.strictSame(await query(server.url, "select current_setting('fsync') as fsync"), [{ fsync: 'on' }])
    await server.stop()
  })

  await t.test('belongs to one process at a time', async (t) => {
    const inUse = {
      name: 'DataDirInUseError',
      message: `the embedded database in ${dataDir} is in use by another running process; stop that one, or set DATA_DIR to another folder`,
    }
    const { child, ended, answer } = await startInProcess(t, dataDir)
    await t.rejects(start(), inUse)
    await t.rejects(stopEmbeddedPostgres({ dataDir, log }), inUse)
    const second = await startInProcess(t, dataDir)
    t.equal(second.answer.message, inUse.message)
    t.strictSame(await query(answer.url, 'select one from kept'), [{ one: 1 }], 'the first is not disturbed')
    child.stdin?.end()
    await ended
  })

  await t.test('starts again after its process was killed', async (t) => {
    const { child, ended, answer } = await startInProcess(t, dataDir)
    await kill(child, ended)
    t.strictSame(
      await query(answer.url, 'select one from kept'),
      [{ one: 1 }],
      'Postgres outlives the process',
    )
    const server = await start()
    await t.rejects(query(answer.url, 'select 1'), { code: 'ECONNREFUSED' }, 'but not the next start')
    t.strictSame(await query(server.url, 'select one from kept'), [{ one: 1 }])
    await server.stop()
  })

  await t.test('starts when another process has the id of the Postgres that was killed', async (t) => {
    const { uid, gid } = await stat(join(dataDir, 'postgres'))
    const bystander = spawn('sleep', ['600'], { uid, gid, stdio: 'ignore' })
    const ended = once(bystander, 'exit')
    const server = await start()
    const pidFile = join(dataDir, 'postgres/postmaster.pid')
    const text = await readFile(pidFile, 'utf8')
    await server.stop()
    await writeFile(pidFile, text.replace(/^\d+/, String(bystander.pid)))
    await chown(pidFile, uid, gid)

    const again = await start()
    t.strictSame(await query(again.url, 'select one from kept'), [{ one: 1 }])
    t.equal(bystander.signalCode, null, 'which is left alone')
    await again.stop()
    await kill(bystander, ended)
  })

  await t.test('is refused when another Postgres made it', async (t) => {
    const version = join(dataDir, 'postgres/PG_VERSION')
    const ours = await readFile(version, 'utf8')
    await writeFile(version, '12\n')
    await t.rejects(start(), {
      message: `${dataDir}/postgres was made by Postgres 12 and cannot be read by the installed Postgres ${ours.trim()}; move it away, or set DATA_DIR to another folder`,
    })
    await writeFile(version, ours)
  })

  await t.test('says why it does not start', async (t) => {
    const settings = join(dataDir, 'postgres/postgresql.auto.conf')
    const good = await readFile(settings, 'utf8')
    await writeFile(settings, 'shared_buffers = nonsense\n')
    await t.rejects(start(), { message: /does not start: .*shared_buffers/s })
    await writeFile(settings, good)
    await (await start()).stop()
  })

  await t.test('is never what something else left there', async (t) => {
    await rename(join(dataDir, 'postgres'), join(dataDir, 'elsewhere'))
    await mkdir(join(dataDir, 'postgres'))
    await writeFile(join(dataDir, 'postgres/notes.txt'), '')
    await t.rejects(start(), {
      message: `${dataDir}/postgres holds something else than a Postgres database; set DATA_DIR to another folder`,
    })
    t.ok(await stat(join(dataDir, 'postgres/notes.txt')))
  })
})

t.test(
  'root is told which folder the user postgres cannot enter',
  { skip: !root && 'for root alone' },
  async (t) => {
    const closed = await temporaryFolder(t)
    await chmod(closed, 0o700)
    await t.rejects(startEmbeddedPostgres({ dataDir: join(closed, 'data'), log }), {
      message: new RegExp(
        `who may not enter ${closed} to reach ${closed}/data/postgres; set DATA_DIR to a folder elsewhere`,
      ),
    })
  },
)

const nobody = { uid: 65_534, gid: 65_534 }

const notAsNobody = root
  ? (await closedFolder(process.execPath, nobody)) && 'other users may not enter this checkout'
  : 'every other test here is that'

t.test('an ordinary user runs it as themselves', { skip: notAsNobody ?? false }, async (t) => {
  const dataDir = await temporaryFolder(t)
  await chown(dataDir, nobody.uid, nobody.gid)
  const { child, ended, answer } = await startInProcess(t, dataDir, nobody)
  t.strictSame(await query(answer.url, 'select 1 as one'), [{ one: 1 }])
  t.equal((await stat(join(dataDir, 'postgres'))).uid, nobody.uid)
  child.stdin?.end()
  await ended
})

async function kill(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL')
  await ended
}
