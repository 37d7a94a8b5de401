import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../clock.ts'
import { loadConfig } from '../../config.ts'
import { createLogger } from '../../log.ts'
import { type RunningService, startService } from '../../start.ts'
import type { Accounts } from './compare.ts'
import type { Send } from './entra.ts'

/** A service on data of its own, with a Campaign Manager of its own. */
export interface Stage {
  readonly send: Send
  /** The accounts that Campaign Manager holds now. */
  accounts(): Promise<Accounts>
  /** @returns whether the service finished what it has to bring to Campaign Manager, within its time */
  caughtUp(): Promise<boolean>
  /** Ends and removes all of it. */
  close(): Promise<void>
}

export const BASE_PATH = '/scim/v2'

const CATCH_UP_MS = 30_000
const POLL_MS = 25

/** Nothing of the user's own settings reaches the service. Once `signal` aborts, whatever is asked of the stage fails. */
export async function openStage(signal: AbortSignal): Promise<Stage> {
  const token = randomBytes(24).toString('hex')
  const dataDir = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-demo-'))
  const remove = () => rm(dataDir, { recursive: true, force: true })
  let running: RunningService
  try {
    running = await startService({
      config: loadConfig(
        {
          DATA_DIR: dataDir,
          PORT: '0',
          SCIM_TOKEN: token,
          RESYNC_INTERVAL_SECONDS: '0',
          LOG_LEVEL: 'silent',
        },
        () => '',
      ),
      clock: systemClock,
      log: createLogger({ level: 'silent' }),
    })
  } catch (error) {
    await remove()
    throw error
  }
  const { http = '', sandbox = '' } = running.urls

  return {
    send: (method, path, body) => send(signal, token, method, `${http}${BASE_PATH}${path}`, body),
    async accounts() {
      const response = await fetch(new URL('/_sandbox/users', sandbox), { signal })
      const { users } = (await response.json()) as SandboxUsers
      return Object.fromEntries(users.map(({ email, roles, enabled }) => [email, { roles, enabled }]))
    },
    async caughtUp() {
      const deadline = systemClock.monotonic() + CATCH_UP_MS
      while ((await pending(signal, http)) > 0) {
        if (systemClock.monotonic() > deadline) return false
        await delay(POLL_MS, undefined, { signal })
      }
      return true
    },
    async close() {
      try {
        await running.stop()
      } finally {
        await remove()
      }
    },
  }
}

interface SandboxUsers {
  readonly users: readonly { email: string; roles: string[]; enabled: boolean }[]
}

/** As Entra sends it: the content type on writes only. */
async function send(signal: AbortSignal, token: string, method: string, url: string, body?: object) {
  const response = await fetch(url, {
    method,
    signal,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/scim+json; charset=utf-8' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, ...(text !== '' && { body: JSON.parse(text) as unknown }) }
}

/** How many accounts may still differ from the directory, as the service's own metric says. */
async function pending(signal: AbortSignal, url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { signal })).text()
  const value = /^scim_bridge_reconcile_pending (\S+)$/m.exec(text)?.[1]
  if (value === undefined) throw new Error('the service does not say how much is left to reconcile')
  return Number(value)
}
