import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { ScimRequest } from '../support/scim-client.ts'
import {
  type ServiceProcess,
  type ServiceProcessOptions,
  startServiceProcess,
} from '../support/service-process.ts'
import { Tally } from './figures.ts'

/** Some processes of the service, that may be killed and started again. */
export interface Processes {
  readonly scims: readonly ScimRequest[]
  readonly running: readonly ServiceProcess[]
  /** Attempts at accounts by their outcome, as far as killed processes had told. */
  readonly attempts: Tally
  /** Ends one by SIGKILL and starts it again. */
  kill(index: number): Promise<void>
  /** Ends all as an orchestrator does. */
  stop(): Promise<void>
  /** Asks each for its counts. */
  countAttempts(): Promise<void>
  /** Resident memory of one, now and at its most. */
}

const ATTEMPT = /^scim_bridge_reconcile_total\{outcome="(\w+)"\} (\d+)/gm

export async function startProcesses(
  t: Test,
  count: number,
  options: ServiceProcessOptions,
): Promise<Processes> {
  const attempts = new Tally()
  const running = await Promise.all(Array.from({ length: count }, () => startServiceProcess(t, options)))

  /** A start needs Postgres, which may be away just now. */
  async function startAgain(): Promise<ServiceProcess> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await startServiceProcess(t, options)
      } catch (error) {
        if (attempt === 20) throw error
        await pause(500)
      }
    }
  }

  async function readAttempts({ url }: ServiceProcess): Promise<void> {
    const text = await fetch(`${url}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    )
    for (const [, outcome = '', many] of text.matchAll(ATTEMPT)) attempts.add(outcome, Number(many))
  }

  return {
    running,
    attempts,
    get scims() {
      return running.map(({ scim }) => scim)
    },
    async kill(index) {
      const process = running[index]
      if (process === undefined) throw new Error(`there is no process ${index}`)
      await readAttempts(process)
      process.child.kill('SIGKILL')
      await process.ended
      running[index] = await startAgain()
    },
    async stop() {
      for (const { child } of running) child.kill('SIGTERM')
      await Promise.all(running.map(({ ended }) => ended))
    },
    async countAttempts() {
      for (const process of running) await readAttempts(process)
    },
  }
}
