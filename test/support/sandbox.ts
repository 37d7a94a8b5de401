import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { createSandbox, type SandboxOptions } from '../../src/sandbox/server.ts'
import type { SandboxState } from '../../src/sandbox/state.ts'
import { CAMPAIGN_MANAGER_TOKEN } from './service.ts'

export interface ListeningSandbox {
  readonly state: SandboxState
  /** CAMPAIGN_MANAGER_URL */
  readonly url: string
}

/** A Campaign Manager that several services, in this process or in others, can be pointed at. */
export async function startSandbox(t: Test, roles?: SandboxOptions['roles']): Promise<ListeningSandbox> {
  const sandbox = createSandbox({ now: systemClock.now, token: CAMPAIGN_MANAGER_TOKEN, roles })
  const url = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  return { state: sandbox.state, url }
}
