import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'
import { startEmbeddedPostgres } from '../../src/db/embedded.ts'
import { findBinaries, findOwner, reachableBinaries, run } from '../../src/db/embedded-binaries.ts'
import { log } from '../support/test-run.ts'

/** A Postgres that the test may crash. */
export interface OwnPostgres {
  readonly url: string
  /** Ends it without a checkpoint, as a crash does, and starts it again on the same port after a while. */
  crash(downMs: number): Promise<void>
  /** Asked again until Postgres answers. */
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
}

const START_ATTEMPTS = 20

/** Durable, because what was acknowledged before a crash has to be there after it. */
export async function startOwnPostgres(t: Test): Promise<OwnPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-chaos-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const server = await startEmbeddedPostgres({ dataDir, log, maxConnections: 200 })
  t.teardown(() => server.stop())
  const folder = join(dataDir, 'postgres')
  const owner = await findOwner()
  const { pgCtl } = await reachableBinaries(await findBinaries(), owner, dataDir)
  const { port } = new URL(server.url)
  const flags = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'timezone=UTC',
  ]
  const pool = new pg.Pool({ connectionString: server.url, max: 2, application_name: 'chaos' })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  t.teardown(() => pool.end())

  async function start(): Promise<void> {
    const options = flags.map((flag) => `-c ${flag}`).join(' ')
    for (let attempt = 1; ; attempt += 1) {
      const { status, text } = await run(
        pgCtl,
        ['start', '-w', '-D', folder, '-l', join(folder, 'server.log'), '-o', options],
        owner,
      )
      if (status === 0) return
      // The children of the one that crashed may still be ending.
      if (attempt === START_ATTEMPTS) throw new Error(`Postgres does not start again: ${text}`)
      await pause(200)
    }
  }

  return {
    url: server.url,
    async crash(downMs) {
      const { status, text } = await run(pgCtl, ['stop', '-w', '-m', 'immediate', '-D', folder], owner)
      if (status !== 0) throw new Error(`Postgres cannot be crashed: ${text}`)
      await pause(downMs)
      await start()
    },
    async query(text, values) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return (await pool.query(text, values)).rows
        } catch (error) {
          if (attempt === 100) throw error
          await pause(100)
        }
      }
    },
  }
}
