import { mkdir, readFile, realpath, rename } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Logger } from '../log.ts'
import { findBinaries, findOwner, openDataDir, reachableBinaries, run } from './embedded-binaries.ts'
import { type Cluster, hasCluster, openCluster, readPassword, stopServer } from './embedded-cluster.ts'
import { type Lock, lockDataDir } from './embedded-lock.ts'

export type EmbeddedPostgres = { url: string; stop(): Promise<void> }

export type EmbeddedOptions = {
  dataDir: string
  log: Logger
  /** False: a crash may lose everything, in return for speed. For tests. */
  durable?: boolean
  maxConnections?: number
}

const START_ATTEMPTS = 5
const START_SECONDS = '60'

/**
 * A Postgres of our own in `dataDir`/postgres, on a free port of 127.0.0.1, whose data outlives it. It runs in a
 * session of its own, so that Ctrl-C in the terminal reaches the service alone, and the service then stops it.
 * What a killed service left running is stopped by the next start.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { cluster, lock } = await takeCluster(options)
  try {
    await stopServer(cluster)
    const port = await startServer(cluster, options)
    const url = `postgres://postgres:${await readPassword(cluster)}@127.0.0.1:${port}/postgres`
    let stopping: Promise<void> | undefined
    const stop = () => {
      stopping ??= stopServer(cluster).finally(() => lock.release())
      return stopping
    }
    options.log.debug({ dataDir: options.dataDir, port }, 'the embedded database is up')
    return { url, stop }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Stops the server that another, now ended process left running in `dataDir`; refused while one uses it. */
export async function stopEmbeddedPostgres(options: { dataDir: string; log: Logger }): Promise<void> {
  if (!(await hasCluster(options.dataDir))) return
  const { cluster, lock } = await takeCluster(options)
  try {
    await stopServer(cluster)
  } finally {
    await lock.release()
  }
}

async function takeCluster(options: EmbeddedOptions): Promise<{ cluster: Cluster; lock: Lock }> {
  if (process.platform === 'win32')
    throw new Error('there is no embedded database on Windows: set DATABASE_URL')
  const [found, owner] = await Promise.all([findBinaries(), findOwner()])
  await mkdir(options.dataDir, { recursive: true })
  const dataDir = await realpath(options.dataDir)
  const lock = await lockDataDir(dataDir)
  try {
    await openDataDir(dataDir, owner)
    const binaries = await reachableBinaries(found, owner, dataDir)
    const cluster = await openCluster({ dataDir, binaries, owner, durable: options.durable ?? true })
    return { cluster, lock }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function startServer(cluster: Cluster, options: EmbeddedOptions): Promise<number> {
  const logFile = join(cluster.folder, 'server.log')
  for (let attempt = 1; ; attempt++) {
    await rename(logFile, `${logFile}.1`).catch(() => undefined) // There is none at the first start.
    const port = await freePort()
    const { status, text } = await run(
      cluster.binaries.pgCtl,
      [
        'start',
        '-w',
        '-t',
        START_SECONDS,
        '-D',
        cluster.folder,
        '-l',
        logFile,
        '-o',
        serverFlags(port, options),
      ],
      cluster.owner,
    )
    if (status === 0) return port
    await stopServer(cluster)
    const reason = await readFile(logFile, 'utf8').catch(() => text)
    // Somebody took the port after it was found free, or the last server's children are still ending.
    const passing = /could not bind|could not create any TCP|pre-existing shared memory block/.test(reason)
    if (!passing || attempt >= START_ATTEMPTS) {
      throw new Error(`the embedded Postgres in ${cluster.folder} does not start: ${reason.trim()}`)
    }
    options.log.debug({ attempt }, 'the embedded database did not start; trying again')
  }
}

/** pg_ctl hands them to a shell. */
function serverFlags(port: number, { durable = true, maxConnections = 100 }: EmbeddedOptions): string {
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `max_connections=${maxConnections}`,
    'timezone=UTC',
    'log_timezone=UTC',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'autovacuum=off']),
  ]
  return settings.map((setting) => `-c ${setting}`).join(' ')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject()))
    })
  })
}
