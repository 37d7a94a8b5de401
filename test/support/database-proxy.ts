import { createConnection, type Socket } from 'node:net'
import type { Test } from 'tap'
import { createSocketServer } from './socket-server.ts'

/**
 * serving        everything passes
 * refusing       connections are broken, and new ones refused
 * silent         connections are broken, new ones are accepted and never answered
 * losing_commit  as serving, but the connection breaks once a COMMIT has been passed on, before its answer
 */
export type ProxyMode = 'serving' | 'refusing' | 'silent' | 'losing_commit'

export interface DatabaseProxy {
  /** DATABASE_URL by way of the proxy. */
  readonly url: string
  /** How many COMMITs lost their answer. */
  readonly commitsLost: number
  set(mode: ProxyMode): Promise<void>
}

/** What the driver sends to commit: one simple query (the letter Q, the length, the text, NUL). */
const COMMIT = Buffer.from('Q\u0000\u0000\u0000\u000bcommit\u0000')

/** Stands between a service and Postgres, and fails as networks do. */
export async function startDatabaseProxy(t: Test, databaseUrl: string): Promise<DatabaseProxy> {
  const target = new URL(databaseUrl)
  let mode: ProxyMode = 'serving'
  let commitsLost = 0
  const server = createSocketServer(connect)

  function connect(client: Socket): void {
    if (mode === 'silent') return
    const upstream = server.keep(createConnection({ host: target.hostname, port: Number(target.port) }))
    client.on('data', (bytes) => {
      upstream.write(bytes)
      if (mode !== 'losing_commit' || !bytes.includes(COMMIT)) return
      commitsLost += 1
      // Whatever Postgres answers finds nobody: the client is gone, and the session ends once it has committed.
      client.destroy()
      upstream.removeAllListeners('data').end()
    })
    upstream.on('data', (bytes) => client.write(bytes))
    client.on('close', () => upstream.end())
    upstream.on('close', () => client.destroy())
  }

  await server.listen()
  t.teardown(server.close)
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${server.port}`
  return {
    url: url.href,
    get commitsLost() {
      return commitsLost
    },
    async set(next) {
      const breaks = next === 'refusing' || next === 'silent'
      mode = next
      if (breaks) await server.close()
      if (next !== 'refusing' && !server.isListening) await server.listen()
    },
  }
}
