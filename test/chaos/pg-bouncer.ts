import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import { findOwner } from '../../src/db/embedded-binaries.ts'
import { waitUntil } from './waiting.ts'

const PLACES = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer']

export async function findPgBouncer(): Promise<string | undefined> {
  for (const place of PLACES) {
    const isThere = await access(place).then(
      () => true,
      () => false,
    )
    if (isThere) return place
  }
  return undefined
}

/**
 * PgBouncer in transaction mode before a Postgres, with fewer sessions than its clients would open.
 *
 * @param serverLifetime seconds; 0: a session serves one transaction, and so lets go of a template database
 */
export async function startPgBouncer(
  t: Test,
  program: string,
  databaseUrl: string,
  serverLifetime: number,
): Promise<string> {
  const url = new URL(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-bouncer-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const settings = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users.txt')
  await writeFile(users, `"${url.username}" "${decodeURIComponent(url.password)}"\n`)
  await writeFile(
    settings,
    [
      '[databases]',
      `* = host=${url.hostname} port=${url.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${users}`,
      'pool_mode = transaction',
      'default_pool_size = 8',
      'max_client_conn = 500',
      `server_lifetime = ${serverLifetime}`,
      'server_login_retry = 1',
      `logfile = ${join(folder, 'log')}`,
    ].join('\n'),
  )
  const owner = await findOwner() // PgBouncer does not run as root either.
  await chmod(folder, 0o755)
  if (owner) for (const path of [folder, settings, users]) await chown(path, owner.uid, owner.gid)
  const child = spawn(program, ['-q', settings], { stdio: 'ignore', ...owner })
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const through = new URL(databaseUrl)
  through.host = `127.0.0.1:${port}`
  await waitUntil('PgBouncer answers', 20_000, () => answers(through.href))
  return through.href
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
