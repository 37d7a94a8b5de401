import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export interface SocketServer {
  /** The same after every `listen`. */
  readonly port: number
  readonly isListening: boolean
  listen(): Promise<void>
  /** Stops listening and breaks every connection. */
  close(): Promise<void>
  /** Has a socket broken by `close`, and closed rather than failing when it breaks by itself. */
  keep(socket: Socket): Socket
}

/** A server that comes and goes, for what stands between two others. `connect` gets sockets that are kept. */
export function createSocketServer(connect: (client: Socket) => void): SocketServer {
  const sockets = new Set<Socket>()
  let server: Server | undefined
  let port = 0

  function keep(socket: Socket): Socket {
    sockets.add(socket)
    return socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  }

  return {
    get port() {
      return port
    },
    get isListening() {
      return server !== undefined
    },
    async listen() {
      server = createServer((client) => connect(keep(client)))
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
    async close() {
      const closed = server && once(server, 'close')
      server?.close()
      server = undefined
      for (const socket of sockets) socket.destroy()
      await closed
    },
    keep,
  }
}
