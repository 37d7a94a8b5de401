import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pause } from './fault-answers.ts'

export type Door = {
  /** New connections are refused for so long; those that stand are served to the end of their request. */
  refuse(ms: number): void
  /** Resolves once none is refused any more. */
  opened(): Promise<void>
}

/** Closes a listening server's port for a while, and opens the same port again. */
export function createDoor(server: Server, stopping: AbortSignal): Door {
  let closed: Promise<void> | undefined

  async function refuse(ms: number): Promise<void> {
    const { address: host, port } = server.address() as AddressInfo
    server.close()
    await pause(ms, stopping)
    server.listen({ host, port })
    await once(server, 'listening')
  }

  return {
    refuse: (ms) => {
      closed ??= refuse(ms).finally(() => {
        closed = undefined
      })
    },
    opened: async () => closed,
  }
}
